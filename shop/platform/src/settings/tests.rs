//! Who wins, and what is said about what cannot be used.

use super::*;

fn resolve(flags: &Flags, environment: &[(&str, &str)]) -> Result<Settings, Invalid> {
    Settings::resolve_in(flags, &|name| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn file(text: &str) -> (tempfile::TempDir, Flags) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.toml");
    std::fs::write(&path, text).unwrap();
    (folder, Flags { config: Some(path), ..Flags::default() })
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let (_folder, mut flags) = file("listen = '127.0.0.1:1'\npublic = true\n");
    let home = ("HOME", "/home/ann");
    let listen = |settings: &Settings| (settings.listen.value.port(), settings.listen.from.clone());

    let settings = resolve(&flags, &[home]).unwrap();
    assert_eq!(listen(&settings), (1, Origin::File(flags.config.clone().unwrap())));
    assert!(settings.public.value, "a bare `true` of TOML is understood");

    let environment = [home, ("SWITCHBOARD_LISTEN", "127.0.0.1:2")];
    let settings = resolve(&flags, &environment).unwrap();
    assert_eq!(listen(&settings), (2, Origin::Environment("SWITCHBOARD_LISTEN".to_owned())));

    flags.listen = Some(SocketAddr::from(([127, 0, 0, 1], 3)));
    assert_eq!(listen(&resolve(&flags, &environment).unwrap()), (3, Origin::Flag));

    let settings = resolve(&Flags::default(), &[home]).unwrap();
    assert_eq!(listen(&settings), (8080, Origin::Default));
    assert_eq!(settings.data.value, Path::new("/home/ann/.local/share/switchboard"));
    assert_eq!(settings.token_file.value, settings.data.value.join("operator-token"));
}

#[test]
fn the_data_directory_of_the_user_is_respected_when_it_is_absolute() {
    let data = |xdg: &str| {
        let environment = [("HOME", "/home/ann"), ("XDG_DATA_HOME", xdg)];
        resolve(&Flags::default(), &environment).unwrap().data.value
    };
    assert_eq!(data("/srv/data"), Path::new("/srv/data/switchboard"));
    assert_eq!(data("relative"), Path::new("/home/ann/.local/share/switchboard"));
    assert!(matches!(resolve(&Flags::default(), &[]), Err(Invalid::NoHome)));
}

#[test]
fn what_cannot_be_used_is_named_with_who_set_it() {
    let check = |text: &str, environment: &[(&str, &str)], expected: &str| {
        let (_folder, flags) = file(text);
        let error = resolve(&flags, environment).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let home = ("HOME", "/h");
    check("lisen = 'x'", &[home], "`lisen`, which is not a setting");
    check("listen = 'x'", &[home], "`x` is not a value for `listen`");
    check("", &[home, ("SWITCHBOARD_URL", "ftp://x")], "environment SWITCHBOARD_URL: `ftp://x`");
    check("listen", &[home], "is not TOML");
}

#[test]
fn doors_are_set_like_anything_else() {
    let (_folder, flags) = file("access_sample = 0.25\nrate_limit = '600/60'\n");
    let home = ("HOME", "/h");
    let bodies = ("SWITCHBOARD_ACCESS_BODIES", "true");
    let settings = resolve(&flags, &[home, bodies]).unwrap();
    let doors = Doors::of(&settings);
    assert_eq!((doors.access_sample, doors.access_bodies), (0.25, true));
    assert_eq!(doors.rate_limit.to_string(), "600/60");
    assert!(settings.rows().concat().join(" ").contains("rate_limit 600/60 file"));
    assert_eq!(serde_json::to_value(&settings).unwrap()["rate_limit"]["value"], "600/60");
    let usual = Doors::of(&resolve(&Flags::default(), &[home]).unwrap());
    assert_eq!(usual, Doors::default());
    for (name, value) in [
        ("SWITCHBOARD_ACCESS_SAMPLE", "1.5"),
        ("SWITCHBOARD_ACCESS_SAMPLE", "NaN"),
        ("SWITCHBOARD_RATE_LIMIT", "600"),
    ] {
        let error = resolve(&Flags::default(), &[home, (name, value)]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(value), "{error}");
    }
}

#[test]
fn engines_are_named_like_anything_else_and_passwords_are_not_shown() {
    let (_folder, flags) = file(
        "broker = 'amqp://ann:hush@h/%2f'\nengine_wait = 5\n\
         upstream = ['orders=http://a:1,http://b:1', 'users=http://c:1']\n",
    );
    let home = ("HOME", "/h");
    let store = ("SWITCHBOARD_STORE", "postgres://ann:hush@h/shop");
    let settings = resolve(&flags, &[home, store, ("SWITCHBOARD_NAMESPACE", "ann")]).unwrap();
    let engines = settings.engines();
    assert_eq!(engines.broker, BrokerUrl::Rabbit("amqp://ann:hush@h/%2f".to_owned()));
    assert_eq!(engines.store, StoreUrl::Postgres("postgres://ann:hush@h/shop".to_owned()));
    assert_eq!((engines.namespace.as_str(), engines.patience.as_secs()), ("ann", 5));
    assert_eq!(settings.upstream.value[0].addresses.len(), 2);
    assert_eq!(settings.upstream.value[1].service, "users");
    let rows = settings.rows().concat().join(" ");
    assert!(rows.contains("ann:***@h") && !rows.contains("hush"), "{rows}");
    assert!(!format!("{settings:?}").contains("hush"));

    let wrong = [home, ("SWITCHBOARD_STORE", "mysql://ann:hush@h/shop")];
    let error = resolve(&Flags::default(), &wrong).unwrap_err().to_string();
    assert!(error.contains("postgres://") && !error.contains("hush"), "{error}");
    let engines = resolve(&Flags::default(), &[home]).unwrap().engines();
    assert_eq!(engines, Engines::default());
}
