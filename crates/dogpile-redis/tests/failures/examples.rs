//! The examples, as their users run them.

use crate::support::programs::example;

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

    let wrong = example("memory_table").args(["--items", "many"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
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
