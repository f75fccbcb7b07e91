//! The scripts that run on the server, each as one step.

use std::sync::LazyLock;

use redis::Cmd;

/// A script and its hash, by which a server that has seen it knows it.
pub(crate) struct Script {
    /// One bit, another for each script.
    pub(crate) bit: u32,
    source: &'static str,
    hash: LazyLock<String>,
}

macro_rules! scripts {
    ($($bit:literal $name:ident $file:literal)*) => {$(
        pub(crate) static $name: Script = Script {
            bit: 1 << $bit,
            source: include_str!(concat!("lua/", $file)),
            hash: LazyLock::new(|| redis::Script::new(include_str!(concat!("lua/", $file))).get_hash().to_owned()),
        };
    )*};
}

scripts! {
    0 ASK "ask.lua"
    1 STORE "store.lua"
    2 REMOVE "remove.lua"
    3 EXTEND "extend.lua"
    4 RELEASE "release.lua"
    5 BUMP "bump.lua"
    6 ASK_FIELDS "ask_fields.lua"
    7 STORE_FIELDS "store_fields.lua"
    8 REMOVE_FIELDS "remove_fields.lua"
    9 REMOVE_GROUP "remove_group.lua"
    10 EXTEND_FIELD "extend_field.lua"
    11 RELEASE_FIELD "release_field.lua"
    12 LEFT_OF_FIELD "left_of_field.lua"
}

impl Script {
    /// A call by hash, with these keys; the arguments follow.
    pub(crate) fn call(&self, keys: &[&[u8]]) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&*self.hash).arg(keys.len());
        keys.iter().for_each(|key| _ = cmd.arg(*key));
        cmd
    }

    /// The same call with the source in it, for a server that does not know the hash.
    pub(crate) fn with_source(&self, call: &Cmd) -> Cmd {
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(self.source);
        for arg in call.args_iter().skip(2) {
            if let redis::Arg::Simple(arg) = arg {
                cmd.arg(arg);
            }
        }
        cmd
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.source.lines().next().unwrap_or_default())
    }
}
