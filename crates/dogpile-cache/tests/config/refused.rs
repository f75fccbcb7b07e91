//! What is said of a configuration that is wrong.

use dogpile_cache::config::{Config, Regions, Registry};
use dogpile_cache::{Error, ErrorKind};

use super::{build, lock};

/// A configuration, and what is said of it.
const REFUSED: &[(&str, &[&str])] = &[
    ("colour = 1", &["the cache: unknown option `colour`", "known: `defaults`, `regions`"]),
    ("[region.a]", &["unknown option `region`; did you mean `regions`?"]),
    ("regions = 3", &["the cache: `regions`: invalid type: integer `3`"]),
    ("[[regions]]", &["the cache: `regions`: invalid type: sequence"]),
    ("regions.a = true", &["the cache: `regions.a`: invalid type: boolean `true`"]),
    ("defaults = []", &["the cache: `defaults`: invalid type: sequence"]),
    ("defaults.expire = \"1s\"", &["the defaults: unknown option `expire`"]),
    ("defaults.jitter = 2", &["the defaults: `jitter` has to be from 0 to 1, and is 2"]),
    ("[regions.a]", &["the region `a`: it has no `backend`", "known: `file`, `memory`, `null`"]),
    ("[regions.a]\nbackend = 1", &["the region `a`: `backend`: invalid type: integer `1`"]),
    (
        "[regions.a]\nbackend = \"memroy\"",
        &[
            "the region `a`: unknown backend `memroy`; did you mean `memory`? (known: `file`, `memory`, `null`)",
        ],
    ),
    (
        "[regions.a]\nbackend = \"redis\"",
        &["unknown backend `redis` (known: `file`, `memory`, `null`)"],
    ),
    (
        "[regions.a]\nbackend = \"memory\"\nexpires_aftr = \"1s\"",
        &[
            "the region `a`: unknown option `expires_aftr`; did you mean `expires_after`?",
            "`wait_for`",
        ],
    ),
    (
        "[regions.a]\nbackend = \"memory\"\narguments = { capcity = 1 }",
        &[
            "the region `a`: arguments of the backend `memory`: unknown option `capcity`; did you mean `capacity`?",
        ],
    ),
    (
        "[regions.a]\nbackend = \"memory\"\narguments = { capacity = \"lots\" }",
        &["`capacity`: invalid type: string \"lots\", expected u64"],
    ),
    (
        "[regions.a]\nbackend = \"memory\"\narguments = { capacity = -1 }",
        &["`capacity`: invalid value: integer `-1`"],
    ),
    (
        "[regions.a]\nbackend = \"memory\"\narguments = [1]",
        &["`arguments`: invalid type: sequence"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\narguments = { x = 1 }",
        &["unknown option `x` (there is none)"],
    ),
    (
        "[regions.a]\nbackend = \"file\"",
        &["arguments of the backend `file`: missing field `folder`"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nexpires_after = \"5 parsecs\"",
        &["the region `a`: `expires_after`: \"5 parsecs\" is not a duration such as \"90s\""],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nexpires_after = 90",
        &["`expires_after`: invalid type: integer `90`, expected a duration such as"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nexpires_after = -1.5",
        &["`expires_after`: invalid type: floating point"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nexpires_after = 1979-05-27",
        &["`expires_after`: invalid type: map"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nexpires_after = \"99999999999999999999d\"",
        &["`expires_after`"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nexpires_after = \"2h\"\nhard_deadline = \"1h\"",
        &["`hard_deadline` has to be longer"],
    ),
    ("[regions.a]\nbackend = \"null\"\njitter = nan", &["`jitter`: invalid type: null"]),
    (
        "[regions.a]\nbackend = \"null\"\njitter = -0.1",
        &["`jitter` has to be from 0 to 1, and is -0.1"],
    ),
    ("[regions.a]\nbackend = \"null\"\njitter = inf", &["`jitter`"]),
    (
        "[regions.a]\nbackend = \"null\"\nlease_for = \"0ms\"",
        &["`lease_for` has to be longer than nothing"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlease_for = \"never\"",
        &["`lease_for` cannot be \"never\""],
    ),
    ("[regions.a]\nbackend = \"null\"\nwait_for = \"never\"", &["`wait_for` cannot be \"never\""]),
    (
        "[regions.a]\nbackend = \"null\"\nmangle = \"md5\"",
        &["`mangle`: \"md5\" is not \"sha1\", \"sha256\""],
    ),
    ("[regions.a]\nbackend = \"null\"\nmangle = \"sha1-when-longer-than-\"", &["`mangle`"]),
    ("[regions.a]\nbackend = \"null\"\nmangle = \"sha1-when-longer-than--3\"", &["`mangle`"]),
    (
        "[regions.a]\nbackend = \"null\"\ncodec = \"xml\"",
        &["`codec`: unknown variant `xml`, expected `json` or `msgpack`"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nwhen_down = \"panic\"",
        &["`when_down`: unknown variant `panic`, expected `error` or `miss`"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nversion = -1",
        &["`version`: invalid value: integer `-1`, expected u32"],
    ),
    ("[regions.a]\nbackend = \"null\"\nversion = 4294967296", &["`version`: invalid value"]),
    (
        "[regions.a]\nbackend = \"null\"\nserve_stale = \"yes\"",
        &["`serve_stale`: invalid type: string \"yes\", expected a boolean"],
    ),
    ("[regions.a]\nbackend = \"null\"\nlayers = \"zstd\"", &["`layers`: invalid type: string"]),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [\"zstd\"]",
        &["`layers[0]`: invalid type: string"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [{}]",
        &["`layers[0]`: a layer needs a name: compress, near, observe"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [{ compres = \"zstd\" }]",
        &[
            "`layers[0]`: unknown layer `compres`; did you mean `compress`? (known: `compress`, `near`, `observe`)",
        ],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [{ compress = \"zstd\", near = \"memory\" }]",
        &["`layers[0]`: `compress` and `near` are two layers"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [{ compress = \"gzip\" }]",
        &["`layers[0]`: `compress`: unknown variant `gzip`, expected `lz4` or `zstd`"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [{ compress = \"zstd\", min_len = 3 }]",
        &["`layers[0]`: unknown option `min_len`"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [{ near = \"memory\" }]",
        &["`layers[0]`: missing field `near_for`"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [{ near = \"memory\", near_for = \"never\" }]",
        &["`near_for` cannot be \"never\""],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [{ near = \"far\", near_for = \"1s\" }]",
        &["`layers[0]`: unknown backend `far`"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [{ near = \"memory\", near_for = \"1s\", arguments = { x = 1 } }]",
        &["`layers[0]`: arguments of the backend `memory`: unknown option `x` (known: `capacity`)"],
    ),
    (
        "[regions.a]\nbackend = \"null\"\nlayers = [{ observe = 1 }]",
        &["`layers[0]`: `observe`: invalid type: integer `1`"],
    ),
    ("[regions.\"a\\u0000\\n\"]\nbackend = \"x\"", &["unknown backend `x`"]),
];

#[test]
fn what_is_wrong_is_named() {
    dogpile_conformance::run(async {
        for (toml, said) in REFUSED {
            let error = build(toml).await.err().unwrap_or_else(|| panic!("accepted:\n{toml}"));
            assert_eq!(error.kind(), ErrorKind::Refused, "{toml}");
            for said in *said {
                assert!(error.to_string().contains(said), "{toml}\n  {error}\n  lacks {said}");
            }
        }
    });
}

#[cfg(all(feature = "zstd", feature = "lz4"))]
#[test]
fn a_level_is_checked() {
    dogpile_conformance::run(async {
        for (layer, said) in [
            ("{ compress = \"zstd\", level = 0 }", "`level` has to be from 1 to 22, and is 0"),
            ("{ compress = \"zstd\", level = 23 }", "`level` has to be from 1 to 22, and is 23"),
            ("{ compress = \"lz4\", level = 1 }", "`lz4` has no `level`"),
        ] {
            let toml = format!("[regions.a]\nbackend = \"null\"\nlayers = [{layer}]");
            let error = build(&toml).await.unwrap_err();
            assert!(error.to_string().ends_with(said), "{error}");
        }
    });
}

#[test]
fn an_unknown_region_is_an_error_that_lists_the_known_ones() {
    dogpile_conformance::run(async {
        let toml = "regions.users.backend = \"null\"\nregions.pages.backend = \"null\"";
        let regions = build(toml).await.unwrap();
        let error = regions.region("user").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(
            error.to_string(),
            "unknown region `user`; did you mean `users`? (known: `pages`, `users`)"
        );
    });
}

/// Every value in every place: whatever is said of it, nobody panics.
#[test]
fn any_value_anywhere_is_an_answer() {
    const VALUES: &[&str] = &[
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1e308",
        "nan",
        "-inf",
        "true",
        "\"\"",
        "\"never\"",
        "\"1s\"",
        "\"31556952000s\"",
        "\"\\u0000\"",
        "[]",
        "[[[[[]]]]]",
        "{}",
        "{ a = { b = [] } }",
        "[{}]",
        "1979-05-27T07:32:00Z",
        "\"sha1-when-longer-than-18446744073709551615\"",
        "\"memory\"",
        "\"zstd\"",
    ];
    const PLACES: &[&str] = &[
        "regions",
        "defaults",
        "regions.a",
        "regions.a.backend",
        "regions.a.arguments",
        "regions.a.codec",
        "regions.a.expires_after",
        "regions.a.hard_deadline",
        "regions.a.jitter",
        "regions.a.layers",
        "regions.a.lease_for",
        "regions.a.mangle",
        "regions.a.observe",
        "regions.a.prefix",
        "regions.a.serve_stale",
        "regions.a.version",
        "regions.a.wait_for",
        "regions.a.when_down",
        "regions.a.arguments.capacity",
        "defaults.arguments",
        "defaults.layers",
    ];
    dogpile_conformance::run(async {
        let mut accepted = 0;
        for place in PLACES {
            for value in VALUES {
                let toml = format!("{place} = {value}\n");
                let with_backend = format!("defaults.backend = \"memory\"\n{toml}");
                for toml in [toml, with_backend] {
                    let Ok(config) = toml::from_str::<Config>(&toml) else { continue };
                    let Ok(regions) = Regions::build(&config, &Registry::new(), lock).await else {
                        continue;
                    };
                    accepted += 1;
                    for name in regions.names() {
                        let region = regions.region(name).unwrap();
                        let made = region.get_or_create("key", || async { Ok::<_, Error>(1_u8) });
                        let _ = made.await;
                    }
                }
            }
        }
        assert!(accepted > 20, "{accepted}");
    });
}
