//! Which node owns which key, for any profile.
//!
//! ```text
//! printf 'user:1\nuser:2\n' | cargo run --example lookup -- --profile md5 --owners 2 red green 'blue*3'
//! printf 'user:1\n' | cargo run --example lookup -- --profile twemproxy a=10.0.0.1:11211*2 10.0.0.2:11211
//! ```
//!
//! Nodes are `name` or `name*weight`; for the ketama profiles `host:port` or `host:port*weight`, and for
//! twemproxy, which hashes labels, also `label=host:port*weight`. Keys come on standard input, one a
//! line, of any bytes. Out goes `key<TAB>node[<TAB>node…]`, with each node as it was given.

use std::fmt::Display;
use std::io::{self, BufRead, BufWriter, Write};
use std::process::ExitCode;

use shard_ring::{Ketama, Node, Profile, Ring};

const USAGE: &str = "\
usage: lookup [--profile PROFILE] [--points N] [--owners N] NODE...
  profiles: native (default), md5, libketama, libmemcached, libmemcached-md5,
            libmemcached-weighted, spy, twemproxy, twemproxy-md5";

struct Options {
    ring: Ring<String>,
    owners: usize,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match answer(&options, io::stdin().lock(), BufWriter::new(io::stdout().lock())) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut profile = String::from("native");
    let mut points = None;
    let mut owners = 1;
    let mut nodes = Vec::new();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match &*argument {
            "--profile" => profile = value()?,
            "--points" => points = Some(number(&argument, &value()?)?),
            "--owners" => owners = number(&argument, &value()?)?,
            "--" => nodes.extend(arguments.by_ref()),
            option if option.starts_with("--") => return Err(format!("unknown option {option}")),
            _ => nodes.push(argument),
        }
    }
    if nodes.is_empty() {
        return Err("no nodes".to_owned());
    }
    if owners == 0 {
        return Err("--owners takes 1 or more".to_owned());
    }
    let (mut profile, form) = self::profile(&profile)?;
    if let Some(points) = points {
        profile = profile.with_points(points).map_err(|error| format!("--points: {error}"))?;
    }
    let nodes: Vec<_> = nodes.iter().map(|given| node(given, form)).collect::<Result<_, _>>()?;
    let ring = Ring::with_nodes(profile, nodes).map_err(|error| error.to_string())?;
    Ok(Options { ring, owners: owners as usize })
}

fn number(option: &str, text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{option} takes a number, not {text:?}"))
}

/// What a node is written as.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Name,
    Address,
    LabelOrAddress,
}

fn profile(name: &str) -> Result<(Profile, Form), String> {
    // With names, twemproxy hashes what it is given: that serves servers without one as well.
    let (dialect, form) = match name {
        "md5" => return Ok((Profile::md5(), Form::Name)),
        "native" => return Ok((Profile::native(), Form::Name)),
        "libketama" => (Ketama::Libketama, Form::Address),
        "libmemcached" => (Ketama::Libmemcached, Form::Address),
        "libmemcached-md5" => (Ketama::LibmemcachedMd5, Form::Address),
        "libmemcached-weighted" => (Ketama::LibmemcachedWeighted, Form::Address),
        "spy" => (Ketama::Spymemcached, Form::Address),
        "twemproxy" => (Ketama::TwemproxyNamed, Form::LabelOrAddress),
        "twemproxy-md5" => (Ketama::TwemproxyNamedMd5, Form::LabelOrAddress),
        other => return Err(format!("unknown profile {other:?}")),
    };
    Ok((Profile::ketama(dialect), form))
}

fn node(given: &str, form: Form) -> Result<Node<String>, String> {
    let wrong = |what: &dyn Display| format!("node {given:?}: {what}");
    let (rest, weight) = match given.rsplit_once('*') {
        Some((rest, weight)) => {
            let weight = weight.parse().map_err(|_| {
                wrong(&"behind the last * stands the weight, a whole number from 1 to 4294967295")
            })?;
            (rest, weight)
        }
        None => (given, 1),
    };
    let name = match form {
        Form::Name | Form::Address => rest,
        Form::LabelOrAddress => match rest.split_once('=') {
            Some((label, _)) => label,
            None => {
                let (_, port) = rest.rsplit_once(':').unwrap_or_default();
                port.parse::<u16>()
                    .map_err(|_| wrong(&"it has to be host:port, or label=host:port"))?;
                rest.strip_suffix(":11211").unwrap_or(rest)
            }
        },
    };
    Ok(Node::new(name, given.to_owned()).with_weight(weight))
}

fn answer(options: &Options, mut keys: impl BufRead, mut out: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    while keys.read_until(b'\n', &mut line)? > 0 {
        let key = line.strip_suffix(b"\n").unwrap_or(&line);
        out.write_all(key)?;
        for node in options.ring.owners(key).take(options.owners) {
            write!(out, "\t{}", node.payload())?;
        }
        out.write_all(b"\n")?;
        line.clear();
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(arguments: &[&str], keys: &[u8]) -> Result<String, String> {
        let options = options(arguments.iter().map(|argument| (*argument).to_owned()))?;
        let mut out = Vec::new();
        answer(&options, keys, &mut out).unwrap();
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn a_key_has_its_owners_behind_it_as_they_were_given() {
        let answer = ask(&["--profile", "md5", "node1", "node2", "node3"], b"key-0\nkey-1\n\n");
        assert_eq!(answer.unwrap(), "key-0\tnode2\nkey-1\tnode3\n\tnode2\n");
        let answer = ask(&["--owners", "5", "a*2", "b"], b"key").unwrap();
        assert_eq!(answer.matches('\t').count(), 2);
        assert!(answer.contains("\ta*2"));
    }

    #[test]
    fn twemproxy_hashes_the_label_or_what_it_makes_of_the_address() {
        let labelled = [
            "--profile",
            "twemproxy-md5",
            "server1=127.0.1.1:11211",
            "server2=127.0.1.2:11211",
            "server3=127.0.1.3:11211*1",
        ];
        assert_eq!(ask(&labelled, b"foo\n").unwrap(), "foo\tserver2=127.0.1.2:11211\n");
        let bare =
            ["--profile", "twemproxy-md5", "127.0.1.1:11211", "127.0.1.2:11211", "127.0.1.3:11211"];
        assert_eq!(ask(&bare, b"VDEAAAAA\n").unwrap(), "VDEAAAAA\t127.0.1.1:11211\n");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (arguments, said) in [
            (&["--profile", "ketama", "a"][..], "unknown profile"),
            (&["--owners", "x", "a"], "--owners"),
            (&["--points", "0", "a"], "at least one point"),
            (&["--points"], "needs a value"),
            (&["--profile", "spy", "--points", "9", "a:1"], "fixed"),
            (&[], "no nodes"),
            (&["a*NaN"], "whole number"),
            (&["a*-1"], "whole number"),
            (&["a*99999999999999999999"], "whole number"),
            (&["a*0"], "weight 0"),
            (&["a*4000000000"], "more nodes, weight or points"),
            (&["a", "a*2"], "already in the ring"),
            (&["--profile", "libketama", "a"], "host:port"),
            (&["--profile", "twemproxy", "a"], "host:port"),
        ] {
            let error = ask(arguments, b"").unwrap_err();
            assert!(error.contains(said), "{arguments:?}: {error}");
        }
    }
}
