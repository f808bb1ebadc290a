//! Variables from which programs take code.

/// Whether a variable decides which code a shell, a loader, an interpreter or another well-known program runs. Whoever may write a
/// key, or a project's file, must not choose that for every program that is run with the environment's keys.
///
/// The list is what sudo, OpenSSH and glibc drop or ignore for the same reason, and the hooks of the tools that developers use. It
/// cannot be complete: a program of one's own may have others.
#[must_use]
pub fn runs_code(variable: &str) -> bool {
    let upper = variable.to_ascii_uppercase();
    PREFIXES.iter().any(|prefix| upper.starts_with(prefix)) || NAMES.binary_search(&upper.as_str()).is_ok()
}

/// Whatever begins so.
const PREFIXES: [&str; 11] = [
    "BASH_FUNC_",
    "DYLD_",
    "GIT_CONFIG",
    "LDR_",
    "LD_",
    "LUA_INIT",
    "MALLOC_",
    "NPM_CONFIG_NODE_OPTIONS",
    "NPM_CONFIG_SCRIPT_SHELL",
    "_JAVA_OPTIONS",
    "_RLD",
];

/// In the order of their bytes.
const NAMES: [&str; 146] = [
    "AWS_CONFIG_FILE",
    "BASHOPTS",
    "BASH_ENV",
    "BROWSER",
    "BUNDLE_GEMFILE",
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CATALINA_OPTS",
    "CC",
    "CDPATH",
    "CLASSPATH",
    "COMSPEC",
    "CORECLR_PROFILER",
    "CORECLR_PROFILER_PATH",
    "COR_PROFILER",
    "COR_PROFILER_PATH",
    "CXX",
    "DOTNET_ADDITIONAL_DEPS",
    "DOTNET_STARTUP_HOOKS",
    "EDITOR",
    "EMACSLOADPATH",
    "ENV",
    "ERL_AFLAGS",
    "ERL_FLAGS",
    "ERL_ZFLAGS",
    "EXINIT",
    "FCEDIT",
    "FPATH",
    "GCONV_PATH",
    "GEM_HOME",
    "GEM_PATH",
    "GETCONF_DIR",
    "GIO_EXTRA_MODULES",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ASKPASS",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PAGER",
    "GIT_PROXY_COMMAND",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
    "GLIBC_TUNABLES",
    "GLOBIGNORE",
    "GOFLAGS",
    "GRADLE_OPTS",
    "GTK_MODULES",
    "GTK_PATH",
    "GUILE_LOAD_PATH",
    "GVIMINIT",
    "HOME",
    "HOSTALIASES",
    "IFS",
    "INPUTRC",
    "JAVA_OPTS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "JULIA_LOAD_PATH",
    "KRB5_CONFIG",
    "KRB5_KTNAME",
    "KUBECONFIG",
    "LESSCLOSE",
    "LESSEDIT",
    "LESSOPEN",
    "LIBPATH",
    "LOCALDOMAIN",
    "LOCPATH",
    "LUA_CPATH",
    "LUA_PATH",
    "MAKEFLAGS",
    "MANPAGER",
    "MAVEN_OPTS",
    "NIS_PATH",
    "NLSPATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_REPL_EXTERNAL_MODULE",
    "NPM_CONFIG_GLOBALCONFIG",
    "NPM_CONFIG_USERCONFIG",
    "NULLCMD",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "PAGER",
    "PATH",
    "PATH_LOCALE",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLIO_DEBUG",
    "PERLLIB",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PIP_CONFIG_FILE",
    "PROMPT_COMMAND",
    "PS4",
    "PSMODULEPATH",
    "PYTHONBREAKPOINT",
    "PYTHONEXECUTABLE",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONPATH",
    "PYTHONPLATLIBDIR",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONWARNINGS",
    "QT_PLUGIN_PATH",
    "READNULLCMD",
    "RESOLV_HOST_CONF",
    "RES_OPTIONS",
    "RUBYLIB",
    "RUBYOPT",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "R_ENVIRON",
    "R_ENVIRON_USER",
    "R_PROFILE",
    "R_PROFILE_USER",
    "SHELL",
    "SHELLOPTS",
    "SHLIB_PATH",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "SUDO_EDITOR",
    "TCLLIBPATH",
    "TERMCAP",
    "TERMINFO",
    "TERMINFO_DIRS",
    "TERMPATH",
    "TEXEDIT",
    "TMPPREFIX",
    "VIMINIT",
    "VISUAL",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
    "XDG_DATA_DIRS",
    "XDG_DATA_HOME",
    "XLOCALEDIR",
    "ZDOTDIR",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_they_are_written() {
        assert!(NAMES.is_sorted() && PREFIXES.is_sorted());
        for name in NAMES {
            assert!(runs_code(name) && runs_code(&name.to_lowercase()), "{name}");
        }
        for name in [
            "ld_preload",
            "GIT_CONFIG_COUNT",
            "GIT_CONFIG_KEY_0",
            "GIT_CONFIG",
            "Lua_Init_5_4",
        ] {
            assert!(runs_code(name), "{name}");
        }
    }

    #[test]
    fn usual_variables_of_keys_run_nothing() {
        for name in [
            "OPENAI_API_KEY",
            "GIT_TOKEN",
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "DATABASE_URL",
            "NPM_TOKEN",
            "NODE_AUTH_TOKEN",
            "PYPI_TOKEN",
            "PATHS",
            "MAILGUN_API_KEY",
            "SSH_PRIVATE_KEY",
        ] {
            assert!(!runs_code(name), "{name}");
        }
    }
}
