//! The program itself: what it prints, how it ends, and what it says when it cannot go on.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_switchboard");

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBOARD_")) {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A running `up` or `serve`, killed when the test fails.
struct Up(Child, Vec<String>);

impl Up {
    fn start(data: &Path) -> Self {
        Self::run(&["up", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])
    }

    fn run(arguments: &[&str]) -> Self {
        let mut child = program(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed = Vec::new();
        for line in &mut lines {
            printed.push(line.unwrap());
            if printed.last().unwrap().starts_with("ready") {
                std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
                return Self(child, printed);
            }
        }
        let ended = child.wait();
        panic!("it ended before it was ready ({ended:?}): {printed:?}");
    }

    fn url(&self) -> &str {
        let words = self.1.iter().flat_map(|line| line.split_whitespace());
        words.clone().find(|word| word.starts_with("http://")).unwrap()
    }

    fn signal(&mut self, signal: &str) -> i32 {
        Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        let begun = Instant::now();
        let status = self.0.wait().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        status.code().unwrap_or(-1)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

#[test]
fn up_prints_where_things_are_never_the_token_and_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for signal in ["-INT", "-TERM"] {
        let mut up = Up::start(&data);
        let token_file = data.join("operator-token");
        let token = std::fs::read_to_string(&token_file).unwrap();
        let printed = up.1.join("\n");
        assert!(printed.contains(token_file.to_str().unwrap()), "{printed}");
        assert!(!printed.contains(token.trim()), "the token itself is never printed");
        assert_eq!(up.signal(signal), 0, "{signal}");
    }
}

#[test]
fn a_second_up_says_who_is_there_and_a_taken_port_which() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path());
    let data = folder.path().to_str().unwrap();
    let second = run(&["up", "--listen", "127.0.0.1:0", "--data", data]);
    assert!(!second.status.success() && said(&second).contains("in use"), "{}", said(&second));
    let port = up.url().trim_start_matches("http://");
    let taken = run(&["up", "--listen", port, "--ephemeral"]);
    assert!(!taken.status.success() && said(&taken).contains("--listen"), "{}", said(&taken));
    assert_eq!(said(&taken).lines().count(), 1, "one clear message: {}", said(&taken));
}

#[test]
fn operators_commands_find_the_running_shop_by_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path());
    let data = folder.path().to_str().unwrap();
    let demo = run(&["demo", "--data", data, "--orders", "8", "--customers", "3", "--seed", "1"]);
    assert!(demo.status.success() && said(&demo).contains("All sums agree"), "{}", said(&demo));
    for (arguments, expected) in [
        (&["sagas", "list", "--data", data][..], "completed"),
        (&["sagas", "diagram", "--data", data], "stateDiagram-v2"),
        (&["dead", "list", "--data", data], "no key is blocked"),
        (&["dead", "replay", "--all", "--data", data], "no key is parked"),
        (&["log", "inspect", "--data", data], "sound"),
        (&["doctor", "--data", data], "can be taken"),
    ] {
        let output = run(arguments);
        let said = said(&output);
        assert!(output.status.success() && said.contains(expected), "{arguments:?}: {said}");
    }
    let none = run(&["dead", "show", "no.group", "no-key", "--url", up.url(), "--data", data]);
    assert!(!none.status.success() && said(&none).contains("not blocked"), "{}", said(&none));
}

#[test]
fn without_a_shop_every_command_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("none");
    let data = data.to_str().unwrap();
    let away = run(&["sagas", "list", "--data", data]);
    assert!(!away.status.success() && said(&away).contains("--token-file"), "{}", said(&away));
    let away = run(&["demo", "--url", "http://127.0.0.1:9", "--data", data]);
    assert!(!away.status.success() && said(&away).contains("switchboard up"), "{}", said(&away));
    assert!(run(&["doctor", "--data", data]).status.success(), "nothing is wrong yet");
}

#[test]
fn fresh_asks_and_without_anybody_to_ask_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    Up::start(folder.path()).signal("-TERM");
    let before = std::fs::read(folder.path().join("operator-token")).unwrap();
    let asked = run(&["up", "--fresh", "--listen", "127.0.0.1:0", "--data", data]);
    assert!(!asked.status.success() && said(&asked).contains("--yes"), "{}", said(&asked));
    assert_eq!(std::fs::read(folder.path().join("operator-token")).unwrap(), before);
}

#[test]
fn print_config_shows_who_won() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("switchboard.toml");
    std::fs::write(&file, "listen = '127.0.0.1:7000'\npublic = false\n").unwrap();
    let output = program(&["up", "--data", "/srv/shop", "--print-config"])
        .current_dir(folder.path())
        .env("SWITCHBOARD_PUBLIC", "true")
        .output()
        .unwrap();
    let said = said(&output);
    for (line, expected) in [
        ("listen", "file switchboard.toml"),
        ("public", "environment SWITCHBOARD_PUBLIC"),
        ("data", "command line"),
        ("traces", "default"),
    ] {
        let found = said.lines().find(|it| it.starts_with(line)).unwrap_or_default();
        assert!(found.contains(expected), "{line}: {said}");
    }
}

#[test]
fn a_service_alone_wants_engines_that_processes_can_share() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("shop");
    let data = data.to_str().unwrap();
    for (arguments, expected) in [
        (&["serve", "orders"][..], "--broker kafka://"),
        (&["serve", "orders", "--broker", "amqp://h"], "--store postgres://"),
        (&["serve", "orders", "--store", "postgres://h/d"], "the embedded broker lives inside"),
        (&["serve", "odrers"], "there are: users, content, orders"),
        (&["serve", "gateway"], "--upstream users=http"),
        (&["serve", "orders", "--broker", "redis://h"], "amqp://"),
    ] {
        let output = run(&[arguments, &["--data", data]].concat());
        let said = said(&output);
        assert!(!output.status.success() && said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn an_engine_that_is_not_built_in_is_named_or_waited_for_and_given_up() {
    for (broker, feature, is_built) in [
        ("kafka://127.0.0.1:9", "kafka", cfg!(feature = "kafka")),
        ("amqp://guest:hush@127.0.0.1:9/%2f", "rabbit", cfg!(feature = "rabbit")),
    ] {
        let up = ["up", "--ephemeral", "--listen", "127.0.0.1:0", "--engine-wait", "1"];
        let output = run(&[&up[..], &["--broker", broker]].concat());
        let said = said(&output);
        let expected = match is_built {
            true => "start it, name another with --broker".to_owned(),
            false => format!("built without `{feature}`: run with `--features {feature}`"),
        };
        assert!(!output.status.success() && said.contains(&expected), "{broker}: {said}");
        assert!(!said.contains("hush"), "{said}");
    }
}

#[test]
fn a_gateway_alone_passes_calls_on_and_says_what_it_cannot_show() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Up::start(&folder.path().join("shop"));
    let mut gateway = vec!["serve".to_owned(), "gateway".to_owned()];
    for service in shop_platform::topology::names() {
        // A shop's door is as good as a service's.
        gateway.extend(["--upstream".to_owned(), format!("{service}={}", shop.url())]);
    }
    let data = folder.path().join("gateway");
    gateway
        .extend(["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()].map(str::to_owned));
    let mut gateway = Up::run(&gateway.iter().map(String::as_str).collect::<Vec<_>>());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = shop_platform::load::Client::new(gateway.url());
    let token = std::fs::read_to_string(data.join("operator-token")).unwrap();
    runtime.block_on(async {
        let products = client.get("/api/v1/products", None).await.unwrap();
        assert!(!products["items"].as_array().unwrap().is_empty());
        for (path, expected) in
            [("/console", "--broker"), ("/api/v1/operator/records?topic=x", "--broker")]
        {
            let call = shop_platform::load::client::Call {
                token: Some(token.trim()),
                ..Default::default()
            };
            let answer = client.call(http::Method::GET, path, &call).await.unwrap();
            assert_eq!(answer.status, 409, "{}", answer.body);
            assert!(answer.body["detail"].as_str().unwrap().contains(expected), "{}", answer.body);
        }
    });
    assert_eq!(gateway.signal("-TERM"), 0);
}

#[test]
fn e3_the_signing_key_is_rotated_while_the_shop_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let none = run(&["keys", "list", "--data", data]);
    assert!(!none.status.success() && said(&none).contains("--data"), "{}", said(&none));
    let up = Up::start(folder.path());
    let client = shop_platform::load::Client::new(up.url());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let join = |email: &str| {
        runtime.block_on(shop_platform::load::Customer::join(&client, "Ann", email)).unwrap()
    };
    let keys = || -> Vec<String> {
        let shown = runtime.block_on(client.get("/.well-known/jwks.json", None)).unwrap();
        let keys = shown["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    let (first, before) = (join("one@example.com"), keys());
    let rotated = run(&["keys", "rotate", "--data", data]);
    assert!(rotated.status.success(), "{}", said(&rotated));
    let (second, after) = (join("two@example.com"), keys());
    assert_eq!((before.len(), after.len(), &after[1]), (1, 2, &before[0]));
    let listed = said(&run(&["keys", "list", "--data", data]));
    assert!(after.iter().all(|id| listed.contains(id)), "{listed}");
    for customer in [&first, &second] {
        runtime.block_on(customer.deposit(5, "a deposit")).unwrap();
    }
    let again = run(&["keys", "rotate", "--data", data]);
    assert!(!again.status.success() && said(&again).contains("--force"), "{}", said(&again));
    assert!(run(&["keys", "rotate", "--force", "--data", data]).status.success());
    assert_eq!(keys()[1], after[0]);
}

#[test]
fn help_has_examples() {
    let commands = ["up", "serve", "demo", "sagas", "dead", "log", "keys", "backup", "restore"];
    for command in [None].into_iter().chain(commands.map(Some)) {
        let arguments: Vec<&str> = command.into_iter().chain(["--help"]).collect();
        let help = run(&arguments);
        assert!(help.status.success() && said(&help).contains("Examples:"), "{}", said(&help));
    }
}
