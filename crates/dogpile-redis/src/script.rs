//! The scripts that run on the server, each as one step.

use std::sync::LazyLock;

use redis::Cmd;

/// A script and its hash, by which a server that has seen it knows it.
pub(crate) struct Script {
    source: &'static str,
    hash: LazyLock<String>,
}

macro_rules! scripts {
    ($($name:ident $file:literal)*) => {$(
        pub(crate) static $name: Script = Script {
            source: include_str!(concat!("lua/", $file)),
            hash: LazyLock::new(|| redis::Script::new(include_str!(concat!("lua/", $file))).get_hash().to_owned()),
        };
    )*};
}

scripts! {
    ASK "ask.lua"
    STORE "store.lua"
    REMOVE "remove.lua"
    EXTEND "extend.lua"
    RELEASE "release.lua"
    BUMP "bump.lua"
    ASK_FIELDS "ask_fields.lua"
    STORE_FIELDS "store_fields.lua"
    REMOVE_FIELDS "remove_fields.lua"
    REMOVE_GROUP "remove_group.lua"
    EXTEND_FIELD "extend_field.lua"
    RELEASE_FIELD "release_field.lua"
    LEFT_OF_FIELD "left_of_field.lua"
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
