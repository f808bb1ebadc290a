//! Variables of which it is evident that they hold a credential or say where one service is.
//!
//! The words were compared with the variables that compilers, build tools, package managers, shells, database and cloud clients read: a word is
//! left out when a tool reads a path, a command, an option or the address of its own server from a variable that ends in it
//! (`FILE`, `PATH`, `DIR`, `HOME`, `COMMAND`, `OPTIONS`, `FLAGS`, `ENDPOINT`, `ADDR`, `REGISTRY`, …). Where a tool uses one of the
//! words, the tool's prefix or the whole name is excepted below.

/// Last words of credentials: a program reads text from them that it sends to one service.
const CREDENTIALS: [&str; 19] = [
    "APIKEY",
    "AUTHKEY",
    "AUTHTOKEN",
    "CREDENTIAL",
    "DSN",
    "JWT",
    "KEY",
    "KEYS",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PAT",
    "PEPPER",
    "SALT",
    "SECRET",
    "SECRETS",
    "TOKEN",
    "TOKENS",
];

/// Last words of variables that belong to a credential.
const BESIDE: [&str; 22] = [
    "ACCOUNT",
    "BUCKET",
    "DATABASE",
    "DB",
    "DOMAIN",
    "EMAIL",
    "HOST",
    "HOSTNAME",
    "ID",
    "LOGIN",
    "NAME",
    "ORG",
    "PORT",
    "PROJECT",
    "REGION",
    "TENANT",
    "URI",
    "URL",
    "USER",
    "USERNAME",
    "WEBHOOK",
    "WORKSPACE",
];

/// Prefixes of tools that take settings from variables. Of these only credentials are evident, and no address.
const TOOLS: [&str; 64] = [
    "ACTIONS_",
    "ANDROID_",
    "APT_",
    "AWS_",
    "AZURE_CONFIG_",
    "BAZEL_",
    "BOTO_",
    "BUILDKIT_",
    "BUN_",
    "CARGO_",
    "CDK_",
    "CI_",
    "CLOUDSDK_",
    "CMAKE_",
    "COMPOSE_",
    "COMPOSER_",
    "CONDA_",
    "CONTAINER_",
    "CORECLR_",
    "CURL_",
    "DATABRICKS_",
    "DENO_",
    "DOCKER_",
    "DOTNET_",
    "ELECTRON_",
    "GEM_",
    "GH_",
    "GITHUB_",
    "GITLAB_",
    "GIT_",
    "GO_",
    "GRADLE_",
    "GRPC_",
    "HELM_",
    "HF_",
    "HOMEBREW_",
    "JAVA_",
    "JUPYTER_",
    "KUBERNETES_",
    "KUBE_",
    "MAVEN_",
    "MYSQL_",
    "NIX_",
    "NODE_",
    "NPM_",
    "NUGET_",
    "NVM_",
    "ORG_GRADLE_",
    "OTEL_",
    "PNPM_",
    "POETRY_",
    "PULUMI_",
    "PUPPETEER_",
    "REQUESTS_",
    "RUSTUP_",
    "SPRING_",
    "SSH_",
    "SSL_",
    "SUDO_",
    "TERRAFORM_",
    "TF_",
    "TWINE_",
    "UV_",
    "YARN_",
];

/// Prefixes of which nothing is evident: the tool reads any setting from `PREFIX` and its name.
const ANYTHING: [&str; 26] = [
    "ANSIBLE_",
    "BASH_",
    "BUNDLE_",
    "CMAKE_TOOLCHAIN_",
    "GCC_",
    "JSR_",
    "LC_",
    "LIBVIRT_",
    "MAKE",
    "NPM_CONFIG_",
    "PDM_",
    "PERL",
    "PHP_",
    "PIP_",
    "PUB_",
    "PYTEST_",
    "PYTHON",
    "RUBY",
    "RUST_",
    "R_",
    "SCCACHE_",
    "SPACK_",
    "TEXMF_",
    "VIRSH_",
    "XDG_",
    "ZSH_",
];

/// Words before `URL`, `URI`, `HOST` and the like by which a client is led to another server, with its credential.
const LEADS_ELSEWHERE: [&str; 22] = [
    "AGENT",
    "API",
    "BASE",
    "BROKER",
    "CLI",
    "CONNECT",
    "DEFAULT",
    "DOWNLOAD",
    "ENDPOINT",
    "GATEWAY",
    "HOSTED",
    "INDEX",
    "INSTALL",
    "MIRROR",
    "PROXY",
    "PYPI",
    "REGISTRY",
    "RELAY",
    "REPO",
    "REPOSITORY",
    "SERVER",
    "TRACKING",
];

/// Whole names that tools read and that the rules above would let pass.
const NAMES: [&str; 18] = [
    "ANTHROPIC_HOST",
    "ANTHROPIC_URL",
    "CONSUL_HTTP_URL",
    "GOOGLE_CLOUD_UNIVERSE_DOMAIN",
    "HEX_URL",
    "JENKINS_URL",
    "LANGFUSE_HOST",
    "NOMAD_URL",
    "OLLAMA_HOST",
    "OPENAI_HOST",
    "OPENAI_URL",
    "PLAYWRIGHT_HOST",
    "PODMAN_HOST",
    "SENTRY_HOST",
    "SENTRY_URL",
    "SNYK_HOST",
    "VAULT_URL",
    "WANDB_HOST",
];

/// Words by which a client is sent somewhere.
const PLACES: [&str; 5] = ["DOMAIN", "HOST", "HOSTNAME", "URI", "URL"];

/// True if a variable, in capitals, evidently holds a credential or belongs to one.
pub(super) fn is_evident(upper: &str) -> bool {
    // `API_KEY_2` counts as `API_KEY`.
    let upper = upper
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('_');
    let mut words = upper.split('_').filter(|word| !word.is_empty()).rev();
    let Some(last) = words.next() else { return false };
    let before = words.next();
    if ANYTHING.iter().any(|prefix| upper.starts_with(prefix)) || NAMES.contains(&upper) {
        return false;
    }
    if CREDENTIALS.contains(&last) {
        return true;
    }
    // One word alone, such as USER or HOST, is the shell's.
    let Some(before) = before.filter(|_| BESIDE.contains(&last)) else {
        return false;
    };
    let leads_elsewhere = PLACES.contains(&last) && LEADS_ELSEWHERE.contains(&before);
    // Whose the credential is, or where in the provider's own network: of a tool these lead nowhere else.
    let harmless = matches!(last, "ID" | "REGION" | "USERNAME");
    let of_a_tool = TOOLS.iter().any(|prefix| upper.starts_with(prefix));
    !leads_elsewhere && (!of_a_tool || harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_services_are_configured_by_is_evident() {
        for name in [
            "DATABASE_URL",
            "DATABASE_URL_2",
            "REDIS_URL",
            "MONGODB_URI",
            "DB_HOST",
            "DB_PORT",
            "DB_USER",
            "DB_PASS",
            "DB_PASSWORD",
            "POSTGRES_DB",
            "SENTRY_DSN",
            "AWS_REGION",
            "AWS_SESSION_TOKEN",
            "JWT_SECRET",
            "SMTP_USERNAME",
            "MY_API_KEY",
            "API_KEY_1",
            "TOKEN",
            "GIT_TOKEN",
            "SSH_PRIVATE_KEY",
            "CLIENT_ID",
            "S3_BUCKET",
            "NEXT_PUBLIC_API_KEY",
            "SPRING_DATASOURCE_PASSWORD",
        ] {
            assert!(is_evident(name), "{name}");
        }
    }

    #[test]
    fn nothing_that_runs_code_or_leads_a_tool_elsewhere_is_evident() {
        for name in [
            "MAKEFILES",
            "MAKE_COMMAND",
            "GNUMAKEFLAGS",
            "TAR_OPTIONS",
            "LIBVIRT_DEFAULT_URI",
            "VIRSH_DEFAULT_CONNECT_URI",
            "R_LIBS_USER",
            "PUB_HOSTED_URL",
            "JSR_URL",
            "PDM_PYPI_URL",
            "OPENAI_HOST",
            "ANTHROPIC_URL",
            "PODMAN_HOST",
            "CELERY_BROKER_URL",
            "DD_TRACE_AGENT_URL",
            "RUSTFLAGS",
            "RUSTDOCFLAGS",
            "CFLAGS",
            "LDFLAGS",
            "ANSIBLE_CONFIG",
            "ANSIBLE_SSH_COMMON_ARGS",
            "ANSIBLE_BECOME_USER",
            "ANSIBLE_VAULT_PASSWORD",
            "PSQLRC",
            "SSLKEYLOGFILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_ENDPOINT_URL",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "DOCKER_HOST",
            "DOCKER_CONFIG",
            "CONTAINER_HOST",
            "KUBERNETES_SERVICE_HOST",
            "GH_HOST",
            "GITLAB_HOST",
            "PIP_INDEX_URL",
            "PIP_EXTRA_INDEX_URL",
            "UV_INDEX_URL",
            "UV_DEFAULT_INDEX",
            "NPM_CONFIG_REGISTRY",
            "NPM_CONFIG_KEY",
            "OPENAI_BASE_URL",
            "OPENAI_API_BASE",
            "OPENAI_API_HOST",
            "ANTHROPIC_BASE_URL",
            "AZURE_OPENAI_ENDPOINT",
            "HF_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "MLFLOW_TRACKING_URI",
            "VAULT_ADDR",
            "SENTRY_URL",
            "OLLAMA_HOST",
            "SPRING_DATASOURCE_URL",
            "SPRING_CONFIG_LOCATION",
            "GIT_SSH_COMMAND",
            "GIT_PROXY_URL",
            "PYTHON_KEYRING_BACKEND",
            "PYTHON_HOST",
            "PERL5_URL",
            "RUBYOPT",
            "NODE_EXTRA_CA_CERTS",
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_FILE",
            "CURL_HOME",
            "WGETRC",
            "GOPROXY",
            "GONOSUMDB",
            "GOFLAGS",
            "CARGO_TARGET_DIR",
            "RUSTUP_DIST_SERVER",
            "PLAYWRIGHT_DOWNLOAD_HOST",
            "PUPPETEER_DOWNLOAD_BASE_URL",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "DJANGO_SETTINGS_MODULE",
            "FLASK_APP",
            "TMPDIR",
            "TZ",
            "LANG",
            "LC_ALL",
            "USER",
            "USERNAME",
            "LOGNAME",
            "HOST",
            "HOSTNAME",
            "NAME",
            "URL",
            "ID",
            "PORT",
            "PS1",
            "PROMPT",
            "SSH_AUTH_SOCK",
            "PGSERVICEFILE",
            "PGSSLKEY",
            "PGHOST",
            "MYSQL_HOST",
            "LOG_LEVEL",
            "CONFIG",
            "_",
            "__",
            "_1",
        ] {
            assert!(!is_evident(name), "{name}");
        }
    }
}
