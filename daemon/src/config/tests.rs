//! Stories of operators: what they write, what they get, what they are told when it is wrong.

use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt, path::Path};

use astrops_api::vocabulary::{EntityType, MaintenanceTask};
use secrecy::ExposeSecret;

use super::{keys::KEYS, *};
use crate::reconcile::core::mapping::Authority;

/// A machine to configure: a folder with the file, the variables and the credentials.
struct Machine {
    dir: tempfile::TempDir,
    sources: Sources,
}

impl Machine {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), sources: Sources::default() }
    }

    fn file(mut self, text: &str) -> Self {
        let file = self.dir.path().join("astrops.toml");
        fs::write(&file, text).unwrap();
        self.sources.file = Some(file);
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    fn credential(mut self, name: &str, text: &str) -> Self {
        let dir = self.dir.path().join("credentials");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), text).unwrap();
        self.sources.credentials_directory = Some(dir);
        self
    }

    fn load(&self) -> Loaded {
        self.sources.clone().load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The refusal, with the machine's folder named `DIR`.
    fn refused(&self) -> String {
        let error = self.sources.clone().load().expect_err("this must be refused").to_string();
        error.replace(self.dir.path().to_str().unwrap(), "DIR")
    }
}

/// Each is named like its task.
const BUILT_IN: &[&str] = &[
    "prune-logs",
    "prune-jobs",
    "expire-sessions",
    "expire-locks",
    "prune-capacity-log",
    "open-sales",
    "send-reminders",
    "complete-launches",
    "check-payments",
    "reconcile-incremental",
    "reconcile-full",
    "expire-documents",
];

#[test]
fn without_any_source_the_defaults_serve_on_loopback_and_keep_everything_below_var() {
    let config = Machine::new().load().config;
    assert_eq!(config.server.bind.to_string(), "127.0.0.1:7700");
    assert_eq!(config.data.dir, Path::new("./var"));
    assert_eq!(config.database.url.expose_secret(), "sqlite:./var/astrops.db");
    assert_eq!(config.documents.url.expose_secret(), "sqlite:./var/customer.db");
    assert_eq!(config.mail.dir, Path::new("./var/mail"));
    assert_eq!(config.mail.transport, MailTransport::File);
    assert_eq!(config.mail.from.to_string(), "AstroBookings <noreply@astrobookings.example>");
    assert_eq!((config.mail.smtp.port, config.mail.smtp.tls), (587, TlsMode::StartTls));
    assert_eq!((config.jobs.workers, config.jobs.max_attempts), (16, 5));
    assert!(config.auth.rate_limit.is_on() && config.auth.key.is_none());
    let reconcile = &config.reconcile;
    assert_eq!((reconcile.grace_minutes, reconcile.settle_seconds, reconcile.brake_floor), (10, 5, 20));
    assert_eq!((reconcile.max_delete_percent, reconcile.max_change_percent), (1, 5));
    let names: Vec<_> = config.schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    assert_eq!(names, BUILT_IN);
}

#[test]
fn under_systemd_the_state_directory_is_the_default_and_every_path_follows_it() {
    let config = Config::defaults(Path::new("/var/lib/astrops")).unwrap();
    assert_eq!(config.database.url.expose_secret(), "sqlite:/var/lib/astrops/astrops.db");
    let moved = Machine::new().env("ASTROPS__DATA__DIR", "/srv/astro").load().config;
    assert_eq!(moved.mail.dir, Path::new("/srv/astro/mail"));
}

#[test]
fn each_layer_wins_over_the_one_below_and_show_says_which_one_spoke() {
    let machine = Machine::new()
        .file(
            "[jobs]\nworkers = 2\nmax_attempts = 7\n[mail.smtp]\nusername = \"file\"\npassword = \"in-file\"",
        )
        .env("ASTROPS__JOBS__WORKERS", "3")
        .env("ASTROPS__MAIL__SMTP__PASSWORD", "12345")
        .env("ASTROPS__DATABASE__URL", "postgres://ops:s3cret@db/astrops")
        .env("ASTROPS_URL", "http://this.is.the.clients")
        .credential("mail.smtp.password", "from systemd\n")
        .credential("somebody-elses.pem", "-----BEGIN");
    let loaded = machine.load();
    assert_eq!((loaded.config.jobs.workers, loaded.config.jobs.max_attempts), (3, 7));
    assert_eq!(loaded.config.mail.smtp.password.as_ref().unwrap().expose_secret(), "from systemd");

    let shown = loaded.show().replace(machine.dir.path().to_str().unwrap(), "DIR");
    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    let squeezed = |key| line(key).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed("jobs.workers"), "jobs.workers = 3 # environment variable ASTROPS__JOBS__WORKERS");
    assert_eq!(squeezed("jobs.max_attempts"), "jobs.max_attempts = 7 # DIR/astrops.toml");
    assert_eq!(
        squeezed("mail.smtp.password"),
        "mail.smtp.password = [secret] # credential DIR/credentials/mail.smtp.password"
    );
    assert_eq!(
        squeezed("database.url"),
        r#"database.url = "postgres://ops:***@db/astrops" # environment variable ASTROPS__DATABASE__URL"#
    );
    assert_eq!(squeezed("mail.dir"), r#"mail.dir = "./var/mail" # default, in data.dir"#);
    assert_eq!(squeezed("auth.key"), "auth.key is not set # default");
    for text in [shown, format!("{loaded:?}")] {
        for secret in ["s3cret", "in-file", "12345", "from systemd"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}

#[test]
fn a_number_or_a_word_for_a_password_stays_text() {
    let machine = Machine::new()
        .env("ASTROPS__MAIL__SMTP__USERNAME", "true")
        .env("ASTROPS__MAIL__SMTP__PASSWORD", "[1, 2]");
    let smtp = machine.load().config.mail.smtp;
    assert_eq!(smtp.username.as_deref(), Some("true"));
    assert_eq!(smtp.password.unwrap().expose_secret(), "[1, 2]");
}

#[test]
fn a_misspelt_key_is_refused_with_its_file_and_the_keys_there_are() {
    let machine =
        Machine::new().file("speed = 1\n[server]\nprot = 80\n[mail.smtp]\nhost_name = \"x\"\n[mial]\na=1");
    assert_eq!(
        machine.refused(),
        "DIR/astrops.toml: mail.smtp.host_name is not a key; allowed: mail.smtp.host, mail.smtp.port, \
         mail.smtp.tls, mail.smtp.username, mail.smtp.password, mail.smtp.allow_plain_text, mail.smtp.ca_file, \
         mail.smtp.timeouts.connect_seconds, mail.smtp.timeouts.command_seconds, \
         mail.smtp.timeouts.data_seconds, mail.smtp.timeouts.final_seconds\n\
         DIR/astrops.toml: mial is not a key; allowed: server, data, database, documents, mail, jobs, logs, \
         auth, payments, reconcile, schedules\n\
         DIR/astrops.toml: server.prot is not a key; allowed: server.bind, server.behind_proxy\n\
         DIR/astrops.toml: speed is not a key; allowed: server, data, database, documents, mail, jobs, logs, \
         auth, payments, reconcile, schedules"
    );
    assert_eq!(
        Machine::new().file("data = 1").refused(),
        "DIR/astrops.toml: data is not a table; allowed: data.dir"
    );
}

#[test]
fn a_misspelt_variable_or_credential_is_refused() {
    assert_eq!(
        Machine::new().env("ASTROPS__SERVER__PROT", "80").refused(),
        "environment variable ASTROPS__SERVER__PROT: names no key; allowed: ASTROPS__SERVER__BIND, \
         ASTROPS__SERVER__BEHIND_PROXY"
    );
    let variable = Machine::new().env("ASTROPS__MAIL__SMPT__HOST", "x").refused();
    assert!(variable.contains("allowed: ASTROPS__MAIL__TRANSPORT, ASTROPS__MAIL__DIR"), "{variable}");
    assert_eq!(
        Machine::new().credential("auth.kye", "0").refused(),
        "credential DIR/credentials/auth.kye: names no key; allowed: auth.rate_limit, auth.token_seconds, auth.key"
    );
}

#[test]
fn a_wrong_value_is_refused_with_what_is_allowed_and_all_of_them_at_once() {
    let machine = Machine::new()
        .file("[server]\nbind = \"localhost\"\n[mail]\ntransport = \"pigeon\"\n[mail.smtp]\nport = \"587\"\n[logs]\nfile = \"\"")
        .env("ASTROPS__JOBS__WORKERS", "many")
        .env("ASTROPS__SERVER__BEHIND_PROXY", "yes");
    assert_eq!(
        machine.refused(),
        "DIR/astrops.toml: server.bind is \"localhost\"; allowed: an address and a port, such as 127.0.0.1:7700\n\
         environment variable ASTROPS__SERVER__BEHIND_PROXY: server.behind_proxy is \"yes\"; allowed: true, false\n\
         DIR/astrops.toml: mail.transport is \"pigeon\"; allowed: file, smtp\n\
         DIR/astrops.toml: mail.smtp.port is \"587\"; allowed: a whole number from 1 to 65535\n\
         environment variable ASTROPS__JOBS__WORKERS: jobs.workers is \"many\"; allowed: a whole number from 1 to 1024\n\
         DIR/astrops.toml: logs.file is empty; allowed: a path"
    );
    for (text, told) in [
        ("[jobs]\nworkers = 0", "jobs.workers is 0"),
        ("[jobs]\nworkers = 2.5", "jobs.workers is 2.5"),
        ("[jobs]\nworkers = [1]", "jobs.workers is a list"),
        ("[mail]\nfrom = \"nobody\"", "mail.from is \"nobody\""),
        ("[mail]\nfrom = \"a@b.test\\r\\nBcc: c@d.test\"", "mail.from is \"a@b.test\\r\\nBcc: c@d.test\""),
        ("[mail.smtp]\nhost = \"mail:25\"", "mail.smtp.host is \"mail:25\""),
    ] {
        assert!(Machine::new().file(text).refused().contains(told), "{text}");
    }
}

#[test]
fn a_wrong_secret_is_refused_without_saying_it() {
    for refused in [
        Machine::new().file("[mail.smtp]\npassword = 987654321").refused(),
        Machine::new().credential("auth.key", "987654321").refused(),
        Machine::new().env("ASTROPS__DATABASE__URL", "mysql://root:987654321@db").refused(),
        Machine::new().file("[mail.smtp]\npassword = \"987654321").refused(),
        Machine::new().env("ASTROPS__MAIL__SMTP__PASSWORD", "987654321").refused(),
    ] {
        assert!(!refused.contains("987654321"), "{refused}");
    }
    assert_eq!(
        Machine::new().credential("auth.key", "short").refused(),
        "credential DIR/credentials/auth.key: auth.key has a wrong value; allowed: 64 hexadecimal digits"
    );
}

#[test]
fn a_file_that_is_missing_broken_or_not_text_is_refused() {
    let mut machine = Machine::new();
    machine.sources.file = Some(machine.dir.path().join("nowhere.toml"));
    assert!(
        machine.refused().starts_with("DIR/nowhere.toml: cannot be read: No such file"),
        "{}",
        machine.refused()
    );
    let broken = Machine::new().file("[server]\nbind = ").refused();
    assert!(broken.starts_with("DIR/astrops.toml:2: "), "{broken}");
    let mut machine = Machine::new();
    let not_text = OsString::from_vec(vec![0xFF]);
    machine.sources.environment.push(("ASTROPS__DATA__DIR".into(), not_text));
    assert_eq!(
        machine.refused(),
        "environment variable ASTROPS__DATA__DIR: data.dir is not UTF-8; allowed: a path"
    );
}

#[test]
fn an_address_that_others_can_reach_needs_a_proxy() {
    assert_eq!(
        Machine::new().env("ASTROPS__SERVER__BIND", "0.0.0.0:7700").refused(),
        "environment variable ASTROPS__SERVER__BIND: server.bind is 0.0.0.0:7700, which others can reach, and \
         the API speaks no TLS; allowed: a loopback address, or server.behind_proxy = true when a proxy with TLS \
         stands in front"
    );
    Machine::new().file("[server]\nbind = \"0.0.0.0:7700\"\nbehind_proxy = true").load();
    Machine::new().file("[server]\nbind = \"[::1]:0\"").load();
}

#[test]
fn requests_are_unlimited_only_on_this_machine() {
    Machine::new().file("[auth]\nrate_limit = \"off\"").load();
    let outside = "[server]\nbind = \"0.0.0.0:7700\"\nbehind_proxy = true\n";
    Machine::new().file(outside).load();
    assert_eq!(
        Machine::new().file(&format!("{outside}[auth]\nrate_limit = \"off\"")).refused(),
        "DIR/astrops.toml: auth.rate_limit is \"off\" and server.bind is 0.0.0.0:7700, which others can reach; \
         allowed: on, or a loopback address for server.bind"
    );
}

#[test]
fn plain_text_smtp_stays_on_this_machine_unless_it_is_allowed() {
    let smtp = "[mail]\ntransport = \"smtp\"\n[mail.smtp]\ntls = \"none\"\n";
    assert_eq!(
        Machine::new().file(&format!("{smtp}host = \"mx.astro.test\"")).refused(),
        "DIR/astrops.toml: mail.smtp.tls is \"none\" and mail.smtp.host is \"mx.astro.test\", which is not this \
         machine; allowed: starttls, implicit, or mail.smtp.allow_plain_text = true"
    );
    for fine in [
        "host = \"localhost\"",
        "host = \"127.0.0.1\"",
        "host = \"::1\"",
        "host = \"mx.test\"\nallow_plain_text = true",
    ] {
        Machine::new().file(&format!("{smtp}{fine}")).load();
    }
}

#[test]
fn smtp_needs_a_host_and_a_whole_sign_in() {
    assert_eq!(
        Machine::new().file("[mail]\ntransport = \"smtp\"").refused(),
        "DIR/astrops.toml: mail.transport is \"smtp\" and mail.smtp.host is missing; allowed: \
         mail.smtp.host = \"smtp.example.org\", or mail.transport = \"file\""
    );
    assert_eq!(
        Machine::new().credential("mail.smtp.password", "s3cret").refused(),
        "credential DIR/credentials/mail.smtp.password: mail.smtp.password is there and mail.smtp.username is \
         missing; allowed: both or neither"
    );
}

#[test]
fn stripe_needs_both_of_its_secrets_and_is_not_asked_in_plain_text() {
    assert_eq!(
        Machine::new().file("[payments]\nprovider = \"stripe\"").refused(),
        "DIR/astrops.toml: payments.provider is \"stripe\" and payments.stripe.secret_key is missing; allowed: a \
         credential named payments.stripe.secret_key, or payments.provider = \"sandbox\"\n\
         DIR/astrops.toml: payments.provider is \"stripe\" and payments.stripe.webhook_secret is missing; allowed: a \
         credential named payments.stripe.webhook_secret, or payments.provider = \"sandbox\""
    );
    let loaded = Machine::new()
        .file("[payments]\nprovider = \"stripe\"")
        .credential("payments.stripe.secret_key", "sk_test_987654321\n")
        .credential("payments.stripe.webhook_secret", "whsec_987654321\n")
        .load();
    assert_eq!(
        loaded.config.payments.stripe.secret_key.as_ref().unwrap().expose_secret(),
        "sk_test_987654321"
    );
    assert!(!loaded.show().contains("987654321") && !format!("{loaded:?}").contains("987654321"));

    let base = |base: &str| Machine::new().file(&format!("[payments.stripe]\napi_base = \"{base}\""));
    assert_eq!(
        base("http://stripe.test:12111").refused(),
        "DIR/astrops.toml: payments.stripe.api_base is \"http://stripe.test:12111\", which would send the key in plain \
         text; allowed: https://HOST, or http:// on this machine"
    );
    for wrong in ["stripe.test", "https://", "https://a@b", "https://stripe.test/v1", "ftp://stripe.test"] {
        assert!(base(wrong).refused().contains("payments.stripe.api_base is "), "{wrong}");
    }
    for fine in ["https://stripe.test", "http://127.0.0.1:12111", "http://[::1]:12111/", "http://localhost"] {
        base(fine).load();
    }
}

#[test]
fn a_currency_has_hundredths() {
    let currency = |word: &str| Machine::new().file(&format!("[payments]\ncurrency = \"{word}\""));
    for wrong in ["jpy", "kwd", "USD", "euro", ""] {
        assert!(currency(wrong).refused().contains("a currency with two decimals"), "{wrong}");
    }
    assert_eq!(currency("eur").load().config.payments.currency, "eur");
}

#[test]
fn a_schedule_of_the_file_replaces_the_built_in_one_of_its_name_or_is_added() {
    let machine = Machine::new().file(
        "[[schedules]]\nname = \"prune-logs\"\ncron = \"0 5 * * *\"\ntime_zone = \"Europe/Madrid\"\ntask = \"prune-logs\"\n\
         [[schedules]]\nname = \"weekly\"\ncron = \"0 6 * * 1\"\ntask = \"prune-jobs\"\nmissed = \"skip\"",
    );
    let loaded = machine.load();
    let names: Vec<_> = loaded.config.schedules.iter().map(|s| (s.name.as_str(), s.cron.as_str())).collect();
    assert_eq!(names[..2], [("prune-logs", "0 5 * * *"), ("prune-jobs", "45 3 * * *")]);
    assert_eq!(names.last(), Some(&("weekly", "0 6 * * 1")));
    assert_eq!(names.len(), BUILT_IN.len() + 1);
    let shown = loaded.show().replace(machine.dir.path().to_str().unwrap(), "DIR");
    assert!(shown.contains("schedules.weekly = \"0 6 * * 1\" \"UTC\", prune-jobs, missed skip, overlap skip  # DIR/astrops.toml"), "{shown}");
}

#[test]
fn a_wrong_schedule_is_refused_with_its_place() {
    let refused = |text: &str| Machine::new().file(text).refused();
    assert_eq!(
        refused("[[schedules]]\nname = \"x\"\ncron = \"* * * * *\"\ntask = \"prune-jobs\"\nzone = \"UTC\""),
        "DIR/astrops.toml: schedules[0].zone is not a key; allowed: name, description, cron, time_zone, task, missed, overlap"
    );
    assert_eq!(
        refused("[[schedules]]\nname = \"x\"\ntask = \"prune-jobs\""),
        "DIR/astrops.toml: schedules[0].cron is missing"
    );
    assert_eq!(
        refused("[[schedules]]\nname = \"x\"\ncron = \"* * * * *\"\ntask = \"dance\""),
        format!(
            "DIR/astrops.toml: schedules[0].task: \"dance\" is not one of: {}",
            MaintenanceTask::ALL.iter().map(|task| task.as_str()).collect::<Vec<_>>().join(", ")
        )
    );
    assert_eq!(
        refused("[[schedules]]\nname = \"X y\"\ncron = \"* * * * *\"\ntask = \"prune-jobs\""),
        "DIR/astrops.toml: schedules[0].name is \"X y\"; allowed: lower-case letters, digits and hyphens, at most 64"
    );
    assert_eq!(
        refused("[[schedules]]\nname = \"x\"\ncron = \"* * * * *\"\ntask = \"refund-payment\""),
        "DIR/astrops.toml: schedules[0].task is \"refund-payment\", which is about one thing; allowed: another task"
    );
    let twice = "[[schedules]]\nname = \"x\"\ncron = \"* * * * *\"\ntask = \"prune-jobs\"\n";
    assert_eq!(
        refused(&twice.repeat(2)),
        "DIR/astrops.toml: schedules[1].name: \"x\" is there twice; allowed: one schedule of each name"
    );
    assert_eq!(refused("schedules = 1"), "DIR/astrops.toml: schedules is not a list; allowed: [[schedules]]");
}

#[test]
fn the_example_file_names_every_key_and_says_its_default() {
    let example = include_str!("../../../config/astrops.toml");
    Machine::new().file(example).load();
    // Lines such as `#key = value` are values; `# Why` is prose.
    let uncommented: String = example
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && !rest.is_empty()).unwrap_or(line)
        })
        .filter(|line| !line.contains("in a credential, please") && !line.starts_with("username"))
        .fold(String::new(), |text, line| text + line + "\n");
    let loaded = Machine::new().file(&uncommented).load();
    let defaults = Machine::new().load();
    for key in KEYS {
        let named = example
            .lines()
            .any(|line| line.starts_with(&format!("#{} = ", key.path.rsplit('.').next().unwrap())));
        assert!(named, "{} is not in the example", key.path);
        // The others have no default: the example shows one possible value.
        if let Ok(default) = defaults.layers.0.find_value(key.path) {
            assert_eq!(loaded.layers.0.find_value(key.path).unwrap(), default, "{}", key.path);
        }
    }
    assert_eq!(loaded.config.schedules, defaults.config.schedules);
    assert_eq!(loaded.config.mail.smtp.host.as_deref(), Some("smtp.example.org"));
}

#[test]
fn every_word_of_the_table_is_a_word_of_its_enum() {
    for key in KEYS {
        if let keys::Kind::Word(words) = key.kind {
            for word in words {
                let name = format!("ASTROPS__{}", key.path.to_uppercase().replace('.', "__"));
                Machine::new()
                    .env(&name, word)
                    .env("ASTROPS__MAIL__SMTP__HOST", "localhost")
                    .env("ASTROPS__PAYMENTS__STRIPE__SECRET_KEY", "sk_test_1")
                    .env("ASTROPS__PAYMENTS__STRIPE__WEBHOOK_SECRET", "whsec_1")
                    .load();
            }
        }
    }
}

#[test]
fn an_authority_is_for_a_field_and_its_group_and_show_says_who_wins() {
    let machine = Machine::new().file(
        "[reconcile.authority.launch]\nprice = \"doc_prefer\"\ntitle = \"newest:30\"\n\
         [reconcile.authority.booking]\npaymentMethod = \"manual\"",
    );
    let loaded = machine.load();
    let mapping = loaded.config.reconcile.mapping(EntityType::Launch);
    let authority = |field| mapping.authority(mapping.index(field).unwrap());
    assert_eq!(authority("price"), Authority::DocPrefer);
    assert_eq!(authority("title"), Authority::Newest { threshold: 30_000 });
    assert_eq!(authority("capacity"), Authority::RelAlways);
    let booking = loaded.config.reconcile.mapping(EntityType::Booking);
    assert_eq!(booking.authority(booking.index("paymentStatus").unwrap()), Authority::Manual, "by its group");

    let shown = loaded.show().replace(machine.dir.path().to_str().unwrap(), "DIR");
    let line = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(&format!("reconcile.{key} "))).unwrap();
        line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("authority.launch.price"), r#""doc_prefer" # DIR/astrops.toml"#);
    assert_eq!(line("authority.launch.title"), r#""newest:30" # DIR/astrops.toml"#);
    assert_eq!(line("authority.launch.capacity"), r#""rel_always" # default"#);
    assert_eq!(line("authority.booking.paymentMethod"), r#""manual" # DIR/astrops.toml"#);
    assert_eq!(line("grace_minutes"), "10 # default");
    for silent in
        ["authority.booking.paymentStatus", "authority.launch.availableTickets", "authority.user.role"]
    {
        assert!(!shown.contains(&format!("reconcile.{silent} ")), "{silent}: {shown}");
    }
}

#[test]
fn a_wrong_authority_is_refused_with_its_key() {
    let refused = |text: &str| Machine::new().file(text).refused();
    assert_eq!(
        refused("[reconcile.authority.launch]\nprice = \"dance\""),
        "DIR/astrops.toml: reconcile.authority.launch.price: \"dance\" is not one of: doc_always, rel_always, \
         doc_prefer, rel_prefer, newest:SECONDS, manual, ignore"
    );
    let wrong = refused("[reconcile.authority.launch]\nprize = \"manual\"");
    assert!(
        wrong.starts_with(
            "DIR/astrops.toml: reconcile.authority.launch.prize: launch has no field \"prize\"; its fields are: title, "
        ),
        "{wrong}"
    );
    assert_eq!(
        refused("[reconcile.authority.user]\nrole = \"doc_always\""),
        "DIR/astrops.toml: reconcile.authority.user.role: the authority of user.role is fixed: it is a rule of \
         safety, not a preference"
    );
    let both = "[reconcile.authority.booking]\npaymentMethod = \"manual\"\npaymentStatus = \"doc_always\"";
    assert!(
        refused(both).contains("belongs to the group payment, whose authority is set twice"),
        "{}",
        refused(both)
    );
    assert_eq!(
        refused("[reconcile.authority.event]\nprice = \"manual\""),
        "DIR/astrops.toml: reconcile.authority.event is no kind of entity; allowed: launch, booking, user"
    );
    for (text, at) in [
        ("[reconcile.authority]\nlaunch = 3", "reconcile.authority.launch: "),
        ("[reconcile]\nauthority = 3", "reconcile.authority is not a key"),
        ("[reconcile.authority.launch]\nprice = 3", "reconcile.authority.launch.price: "),
        ("[reconcile]\ngrace_minutes = -1", "reconcile.grace_minutes is -1"),
    ] {
        assert!(refused(text).starts_with(&format!("DIR/astrops.toml: {at}")), "{}", refused(text));
    }
}
