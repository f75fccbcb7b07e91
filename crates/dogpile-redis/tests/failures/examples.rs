//! The examples, as their users run them.

use crate::support::programs::example;
use crate::support::{Kind, Server};

#[test]
fn hstore_tells_what_it_does_and_leaves_nothing() {
    let server = Server::start().unwrap();
    let output = example("hstore").arg(server.url()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    for said in [
        "created: 6 values\n",
        "6 fields of 2 groups, 3 round trips\n",
        "a group of 3 fields, one of them decoded: Some(\"town of ada\"); 1 round trip\n",
        "wrote 10000 values in ",
        "read 10000 values in ",
        ", 10 round trips\n",
    ] {
        assert!(text.contains(said), "no {said:?} in {text}");
    }
    assert_eq!(server.ask(&["DBSIZE"]).number(), 0);
}

#[test]
fn memory_table_draws_on_the_terminal() {
    let folder = crate::support::Folder::new();
    let output = example("memory_table")
        .args(["--items", "1000", "--svg"])
        .arg(folder.join("chart.svg"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with("1000 values\n\nkept as "), "{text}");
    let rows: Vec<_> = text.lines().skip(3).collect();
    assert!(rows.len() > 10, "{text}");
    let whole = "█".repeat(40);
    assert!(rows[0].ends_with(&format!("100.0 %  {whole}")), "{text}");
    for row in rows {
        let (figures, bar) = row.split_once(" %  ").unwrap_or_else(|| panic!("no bar in {row}"));
        let percent: f64 = figures.rsplit(' ').next().unwrap().parse().unwrap();
        let blocks = bar.chars().filter(|part| *part == '█').count() as f64;
        assert!((blocks - percent * 0.4).abs() <= 1.0, "{row}");
    }
}

#[test]
fn memory_table_keeps_what_it_promises() {
    let folder = crate::support::Folder::new();
    let svg = folder.join("chart.svg");
    let output = example("memory_table")
        .args(["--json", "--items", "11000", "--svg"])
        .arg(&svg)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let percent = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name);
        row.unwrap_or_else(|| panic!("no {name} in {text}"))["percent"].as_f64().unwrap()
    };
    // With the whole data set, where names are longer, each takes a smaller part.
    for (name, most) in [
        ("MessagePack, raw, hashes of 100", 12.0),
        ("MessagePack, compact, hashes of 100", 16.0),
        ("MessagePack, raw, buckets of ids", 10.0),
    ] {
        assert!(percent(name) <= most, "{name}: {} %", percent(name));
    }
    assert!(percent("MessagePack, raw") > 40.0, "{text}");
    let picture = std::fs::read_to_string(svg).unwrap();
    assert_eq!(picture.matches("<rect").count(), rows.len() + 1);

    for wrong in [["--items", "many"], ["--server", "no-such-server"]] {
        let output = example("memory_table").args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn memory_table_measures_other_servers() {
    let folder = crate::support::Folder::new();
    for (kind, least, most) in [(Kind::Redis8, 5.0, 20.0), (Kind::Valkey, 25.0, 80.0)] {
        let Some(program) = kind.program() else { continue };
        let output = example("memory_table")
            .args(["--json", "--items", "1000", "--server"])
            .arg(program)
            .arg("--svg")
            .arg(folder.join("chart.svg"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
        let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let bytes = |name: &str| {
            let row = rows.iter().find(|row| row["name"] == name);
            row.unwrap_or_else(|| panic!("no {name}"))["bytes_per_item"].as_f64().unwrap()
        };
        let plain = bytes("MessagePack, compact, hashes of 100");
        let more = bytes("MessagePack, compact, fields that expire") - plain;
        assert!((least..most).contains(&more), "{kind:?}: {more} bytes");
    }
}

#[cfg(feature = "cluster")]
#[test]
fn cluster_survives_its_own_demonstration() {
    let output = example("cluster").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("killing the master"), "{text}");
    assert!(
        text.lines().any(|line| !line.contains(" 0 failed") && line.contains("failed")),
        "{text}"
    );
    // Six hundred calls at once, again and again: the connection is not stuck for good.
    let back = text.lines().rfind(|line| line.contains("served")).unwrap();
    let back: u64 = back.split_whitespace().next().unwrap().parse().unwrap();
    assert!(back < 5_000, "{text}");
    assert!(text.trim_end().ends_with("is there: \"the text of page:0\""), "{text}");
}
