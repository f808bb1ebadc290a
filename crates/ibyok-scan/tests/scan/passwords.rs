//! Passwords are found in addresses, in arguments and under names for passwords. Placeholders are not.

use super::{rules, scan_as};

fn found_in(name: &str, text: &str) -> usize {
    scan_as(name, text).findings.len()
}

#[test]
fn a_password_in_an_address_is_found() {
    for text in [
        "postgres://app:q8Zr3Lx7@db/app",
        "DATABASE_URL=postgresql://app:q8Zr3Lx7@db.internal:5432/app?sslmode=require",
        "url: \"mysql://root:x7Kd9qTz@10.0.0.3/shop\"",
        "mongodb+srv://svc:hG5tPq2w@cluster0.ab1cd.mongodb.net/?retryWrites=true",
        "mongodb://svc:hG5tPq2w@h1:27017,h2:27017/db",
        "redis://:m4Vt8Wq2Zx@cache:6379/0",
        "rediss://default:m4Vt8Wq2Zx@cache:6379",
        "amqp://worker:Yt6uPl3k@mq//",
        "https://deploy:Tr5nBw8q@git.example.org/r.git",
        "ftp://u:N7bQx2Ld@files.example.org",
        "jdbc:postgresql://db/app?user=app&password=q8Zr3Lx7",
        "smtp://mail%40example.org:Kp9%24zQ7m@smtp.example.org:587",
        "postgres://app:kT8$vQ2!zL9#mW4@@db/app",
        "git clone https://oauth2:Zx8kQ2mN4p@gitlab.example.org/a/b.git",
        "Server=db;Database=app;User Id=sa;Password=q8Zr3Lx7!;Encrypt=true",
        "dsn = \"host=db user=app password=q8Zr3Lx7 dbname=app\"",
        "machine git.example.org login deploy password Tr5nBw8qX2",
    ] {
        assert_eq!(rules(text).len(), 1, "{text}");
    }
}

#[test]
fn an_address_whose_password_is_filled_in_or_that_has_none_is_no_finding() {
    for text in [
        "postgres://user:password@localhost/db",
        "postgres://postgres:postgres@localhost/db",
        "postgres://app:${DB_PASSWORD}@db/app",
        "postgres://app:$DB_PASSWORD@db/app",
        "postgres://app:{password}@db/app",
        "postgres://app:<password>@db/app",
        "postgres://app:%s@db/app",
        "postgres://user:pass1234@db/app",
        "postgres://user:p4ssw0rd@db/app",
        "https://user:xxxxxxxx@host/",
        "https://user:********@host/",
        "https://example.org:8443/a/b@v2.1.0",
        "http://localhost:3000/mail?to=jane@example2.org",
        "https://github.com/a/b@q8Zr3Lx7",
        "ssh://git@github.com:org/q8Zr3Lx7@x",
        "http://127.0.0.1:8080@host/",
        "redis://localhost:6379/0",
        "https://9f86d081884c7d65@o1.ingest.sentry.io/12",
    ] {
        assert_eq!(rules(text), [""; 0], "{text}");
    }
}

#[test]
fn a_password_that_a_command_is_given_is_found() {
    for text in [
        "curl -u admin:q8Zr3Lx7 https://example.org",
        "curl -sS --user 'deploy:Tr5nBw8q!x' https://example.org/api",
        "curl \\\n  --user deploy:Tr5nBw8q \\\n  https://example.org",
        "curl -udeploy:Tr5nBw8q https://example.org",
        "curl --proxy-user=\"p:Vb4nMq7c\" https://example.org",
        "[\"curl\", \"-u\", \"deploy:Tr5nBw8q\"]",
        "curl -H \"Authorization: Basic YXBwOnE4WnIzTHg3\" https://example.org",
        "mysqldump --password=kT8vQ2zL9mW4xR",
        "docker login --username bot --password kT8vQ2zL9mW4xR",
    ] {
        assert_eq!(rules(text).len(), 1, "{text}");
    }
    for text in [
        "curl -u user:password https://example.org",
        "curl -u \"$USER:$PASSWORD\" https://example.org",
        "curl -u admin: https://example.org",
        "curl -u ${A}:${B} https://example.org",
        "tar -u a:q8Zr3Lx7",
    ] {
        assert_eq!(rules(text), [""; 0], "{text}");
    }
}

#[test]
fn a_password_with_symbols_under_a_name_that_says_password_is_found() {
    let password = "kT8$vQ2!zL9#mW4@";
    for (name, text) in [
        ("a.py", format!("password = \"{password}\"")),
        ("a.py", format!("db_password='{password}'")),
        (".env", format!("DB_PASSWORD={password}\n")),
        (".env", format!("export DB_PASS='{password}'")),
        ("a.yaml", format!("  password: {password}\n  port: 1\n")),
        ("a.yaml", format!("  password: \"{password}\"")),
        ("a.json", format!("{{\"password\": \"{password}\", \"port\": 1}}")),
        ("a.properties", format!("spring.datasource.password={password}")),
        ("a.xml", format!("<password>{password}</password>")),
        ("a.xml", format!("<property name=\"password\" value=\"{password}\"/>")),
        ("a.ini", format!("passwd = {password}")),
        ("a.tf", format!("  master_password = \"{password}\"")),
        ("a.go", format!("cfg.Password = `{password}`")),
        ("Dockerfile", format!("ENV PGPASSWORD={password}")),
        ("a.sh", format!("deploy --password '{password}'")),
        ("a.json", "{\"password\": \"kT8\\\"vQ2\\\\zL9#mW4@\"}".to_owned()),
    ] {
        assert_eq!(found_in(name, &text), 1, "{text}");
    }
    for other in ["7&xR!pV2^nB8", "wX3(kP9)zQ7[mT5]", "Zq7%Rk2*Vp9~Lx", "&9aF=3kL?2Qx;Tz"] {
        assert_eq!(found_in("a.yaml", &format!("password: '{other}'")), 1, "{other}");
    }
}

#[test]
fn a_password_of_sixteen_to_nineteen_letters_and_digits_needs_no_quotes() {
    for value in [
        "q9Zb3kLm2Qx7TzVb",
        "q9Zb3kLm2Qx7TzVb4",
        "q9Zb3kLm2Qx7TzVb4W",
        "q9Zb3kLm2Qx7TzVb4Wd",
    ] {
        for (name, text) in [
            ("a.sh", format!("DB_PASSWORD={value}")),
            ("a.yaml", format!("password: {value}")),
            ("a.conf", format!("requirepass={value}\npassphrase = {value}")),
            (".env", format!("API_SECRET={value}")),
            (".env", format!("SERVICE_TOKEN={value}")),
        ] {
            assert!(found_in(name, &text) >= 1, "{text}");
        }
    }
}

#[test]
fn what_only_stands_for_a_password_is_none() {
    for text in [
        "password = \"${DB_PASSWORD}\"",
        "password: {{ .Values.db.password }}",
        "password: ${{ secrets.DB_PASSWORD_1 }}",
        "password = os.environ[\"DB_PASSWORD_1\"]",
        "password = process.env.DB_PASSWORD_1!",
        "password = getPassword(user1, \"X\")",
        "password = \"P@ssw0rd1234!\"",
        "password = \"MySecret#Password1\"",
        "password = \"<Your-Password-1!>\"",
        "password: !vault |",
        "password: $ANSIBLE_VAULT;1.1;AES256",
        "password: ENC[AES256_GCM,data:x7Kd9qTz==,iv:Tz3k+9=,tag:9Zb/Q=,type:str]",
        "password: $2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "password = \"$argon2id$v=19$m=65536,t=3,p=4$Zx8kQ2mN4p$Tr5nBw8qX2kT8vQ2zL9m\"",
        "encrypted_password: Zx8kQ2mN4pTr5nBw8qX2kT8vQ2zL9m",
        "password_hash = \"Zx8kQ2mN4pTr5nBw8qX2kT8vQ2zL9m\"",
        "password: string(minLength=12, maxLength=64)",
        "Passwords must match ^(?=.*[A-Z])(?=.*[0-9]).{12,}$",
        "<input type=\"password\" name=\"password\" value=\"\">",
        "if password != self.expected_password2: raise Error(1)",
        "<password>${db.password1}</password>",
        "a();n.password=encodeURIComponent(s)}return n",
        ";Na.password=e=>(e.style=1,Na.text(e));Na.x=1",
        "password = \"correct horse battery staple 12\"",
    ] {
        assert_eq!(rules(text), [""; 0], "{text}");
    }
}
