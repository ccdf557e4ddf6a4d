//! Everything around the built functions: the table and the other AWS-shaped servers as `deploy.py` read them back from moto, the
//! gate before them, a provider and a Qrvey instance behind TLS, and cargo-lambda's runtime API.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use consulate::operator::target::Target;
use consulate_core::aws::Aws;
use consulate_core::clock::Clock;
use consulate_core::config::Config;
use consulate_core::dial;
use consulate_fakes::dynamodb::Engine;
use consulate_fakes::eventbridge::EventBridge;
use consulate_fakes::provider::{self, Provider};
use consulate_fakes::qrvey::{self, Qrvey};
use consulate_fakes::secrets_manager::SecretsManager;
use consulate_fakes::serve::{Served, serve};
use consulate_fakes::sqs::Queues;
use consulate_flows::wire::Wire;
use serde_json::{Value, json};

use crate::process::{Node, Process};

/// Where the provider is, for everybody.
pub const PROVIDER: &str = "https://provider.gate-test.com";
/// Where Qrvey is.
pub const QRVEY: &str = "https://acme.qrveyapp.com";
/// Qrvey's API key.
pub const QRVEY_KEY: &str = "qrvey-api-key-of-the-gate/0123456789";
/// Every function.
pub const FUNCTIONS: [&str; 6] = [
    "connect",
    "proxy",
    "custodian",
    "qrvey-token",
    "settings",
    "console",
];

/// The stack, its functions not yet started.
pub struct World {
    /// What `deploy.py` wrote.
    pub deployed: Value,
    /// The table.
    pub engine: Engine,
    /// The queues.
    pub queues: Queues,
    /// The event bus.
    pub bus: EventBridge,
    /// The provider.
    pub provider: Provider,
    /// Where the operator's commands act: past the gate, as somebody with rights of their own.
    pub target: Target,
    /// A client.
    pub wire: Wire,
    /// The gate's address.
    pub gate: String,
    /// cargo-lambda's address.
    pub lambda: String,
    /// The provider's address, as a browser that is none of the functions reaches it.
    pub provider_url: String,
    /// Scratch.
    pub folder: tempfile::TempDir,
    functions: Mutex<BTreeMap<&'static str, Process>>,
    bootstraps: PathBuf,
    shim: PathBuf,
    ca: String,
    elsewhere: u16,
    logs: PathBuf,
    _served: Vec<Served>,
    _nodes: [Node; 2],
    _runtime: Process,
}

impl World {
    /// Starts everything but the functions. `root`: the project; `target`: cargo's target folder.
    ///
    /// # Errors
    /// Something is missing (said which), or does not start.
    pub async fn start(root: &Path, target: &Path) -> anyhow::Result<Self> {
        let infra = target.join("infra");
        let deployed_at = infra.join("deployed.json");
        let deployed = std::fs::read_to_string(&deployed_at)
            .context("nothing is deployed: run `cargo verify deploy`")?;
        let deployed: Value = serde_json::from_str(&deployed)?;
        let bootstraps = target.join("lambda");
        ensure!(
            bootstraps.join("consulate-custodian/bootstrap").is_file(),
            "the functions are not built: run `cargo verify lambda`"
        );
        let folder = tempfile::tempdir()?;
        let python = root.join(".tools/python/bin/python");
        let shim = infra.join("elsewhere.so");
        run(Command::new(&python)
            .args(["-m", "ziglang", "cc", "-shared", "-fPIC", "-O1", "-o"])
            .arg(&shim)
            .arg(root.join("tests/infra/gate/elsewhere.c")))?;
        run(Command::new(&python)
            .arg(root.join("tests/infra/gate/certificate.py"))
            .arg(folder.path())
            .args(["provider.gate-test.com", "acme.qrveyapp.com"]))?;

        let clock = Clock::system();
        let theirs = clock.clone();
        let millis: consulate_fakes::sqs::Clock = Arc::new(move || theirs.now().millis());
        let engine = Engine::memory()?;
        let secrets = SecretsManager::memory();
        let queues = Queues::new(millis.clone());
        let bus = EventBridge::new(millis.clone());
        bus.create_bus("consulate")?;
        make_queues(&queues, &deployed)?;
        let settings = provider::Settings {
            access_seconds: 3_600,
            ..provider::Settings::new(PROVIDER)
        };
        let provider = Provider::new(settings)?;
        let settings = qrvey::Settings {
            api_keys: vec![QRVEY_KEY.to_owned()],
            ..qrvey::Settings::default()
        };
        let qrvey = Qrvey::new(settings);
        let served = vec![
            serve(engine.router(), 0).await?,
            serve(secrets.router(), 0).await?,
            serve(queues.router(), 0).await?,
            serve(bus.router(), 0).await?,
            serve(provider.router(), 0).await?,
            serve(qrvey.router(), 0).await?,
        ];
        let [
            dynamodb,
            secrets_manager,
            sqs,
            events,
            provider_at,
            qrvey_at,
        ] = served.as_slice()
        else {
            anyhow::bail!("six servers");
        };
        let lambda_port = free_port()?;
        let lambda = format!("http://127.0.0.1:{lambda_port}");
        let scripts = root.join("tests/infra/gate");
        let roles: BTreeMap<String, &str> = FUNCTIONS
            .iter()
            .map(|name| (access_key(name), *name))
            .collect();
        let gate = json!({
            "deployed": deployed_at, "roles": roles,
            "backends": {"dynamodb": dynamodb.url(), "secretsmanager": secrets_manager.url(), "sqs": sqs.url(),
                         "events": events.url(), "lambda": lambda},
        });
        let file = folder.path().join("gate.json");
        let gate = Node::start(&scripts.join("gate.mjs"), &gate, &file).await?;
        let outside = json!({
            "key": folder.path().join("key.pem"), "certificate": folder.path().join("certificate.pem"),
            "hosts": {"provider.gate-test.com": provider_at.url(), "acme.qrveyapp.com": qrvey_at.url()},
        });
        let file = folder.path().join("outside.json");
        let outside = Node::start(&scripts.join("outside.mjs"), &outside, &file).await?;
        let logs = target.join("verify");
        std::fs::create_dir_all(&logs)?;
        let runtime = Process::start(
            Command::new(root.join(".tools/python/bin/cargo-lambda"))
                .args([
                    "lambda",
                    "watch",
                    "--only-lambda-apis",
                    "--invoke-address",
                    "127.0.0.1",
                ])
                .args(["--invoke-port", &lambda_port.to_string()])
                .current_dir(root),
            &logs.join("gate-runtime.log"),
        )?;
        let direct = direct(&deployed, [dynamodb, secrets_manager, sqs, events], &lambda)?;
        let aws = Aws::new(direct.aws.clone(), dial::tls(None)?, clock.clone());
        let world = Self {
            target: Target::of_function(&direct, &aws, Vec::new(), clock),
            ca: std::fs::read_to_string(folder.path().join("ca.pem"))?,
            gate: format!("http://127.0.0.1:{}", gate.port),
            elsewhere: outside.port,
            provider_url: provider_at.url(),
            wire: Wire::default(),
            functions: Mutex::default(),
            _nodes: [gate, outside],
            _runtime: runtime,
            _served: served,
            deployed,
            engine,
            queues,
            bus,
            provider,
            lambda,
            folder,
            bootstraps,
            shim,
            logs,
        };
        world.make_table()?;
        world.await_runtime().await?;
        Ok(world)
    }

    /// Ends every function and starts it anew, with nothing in memory: everything has to be asked for.
    ///
    /// # Errors
    /// One cannot be started.
    pub fn restart(&self) -> anyhow::Result<()> {
        let mut functions = self
            .functions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // The former processes first: two would share a function's invokes.
        functions.clear();
        for name in FUNCTIONS {
            functions.insert(name, self.launch(name)?);
        }
        Ok(())
    }

    /// Starts one function's built binary with the environment of its deployment and the credentials of its role.
    ///
    /// # Errors
    /// It cannot be started.
    fn launch(&self, name: &str) -> anyhow::Result<Process> {
        let binary = self.bootstraps.join(format!("consulate-{name}/bootstrap"));
        let mut command = Command::new(binary);
        command.env_clear();
        let deployed = &self.deployed["functions"][name]["environment"];
        for (variable, value) in deployed.as_object().into_iter().flatten() {
            command.env(variable, value.as_str().unwrap_or_default());
        }
        for service in [
            "DYNAMODB",
            "SECRETS_MANAGER",
            "LAMBDA",
            "SQS",
            "EVENTBRIDGE",
        ] {
            command.env(format!("AWS_ENDPOINT_URL_{service}"), &self.gate);
        }
        for (variable, queue) in [
            ("CONSULATE_QUEUE_URL", "consulate-work"),
            ("CONSULATE_SALVAGE_QUEUE_URL", "consulate-salvage.fifo"),
        ] {
            if deployed.get(variable).is_some() {
                command.env(variable, self.queue_url(queue));
            }
        }
        command.envs([
            ("CONSULATE_EXTRA_CA", self.ca.as_str()),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", &access_key(name)),
            ("AWS_SECRET_ACCESS_KEY", "of-this-role"),
            ("AWS_LAMBDA_FUNCTION_NAME", &format!("consulate-{name}")),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ]);
        command.env(
            "AWS_LAMBDA_RUNTIME_API",
            format!("{}/.rt/consulate-{name}", self.lambda),
        );
        command.env("LD_PRELOAD", &self.shim);
        command.env("CONSULATE_ELSEWHERE_PORT", self.elsewhere.to_string());
        Process::start(&mut command, &self.logs.join(format!("gate-{name}.log")))
    }

    /// A queue's address, through the gate.
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/123456789012/{name}", self.gate)
    }

    /// Tells the gate something.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn steer(&self, act: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/-/{act}", self.gate);
        let answer = self
            .wire
            .try_call(http::Method::POST, &url, &[], body.to_string())
            .await
            .context("the gate does not answer")?;
        serde_json::from_slice(&answer.body).with_context(|| format!("the gate: {}", answer.text()))
    }

    /// The table as the deployment made it.
    fn make_table(&self) -> anyhow::Result<()> {
        let table = &self.deployed["table"];
        let mut attributes = vec![json!({"AttributeName": "pk", "AttributeType": "S"})];
        let mut indexes = Vec::new();
        for (name, hash) in table["indexes"].as_object().context("indexes")? {
            attributes.push(json!({"AttributeName": hash, "AttributeType": "S"}));
            indexes.push(json!({
                "IndexName": name, "Projection": {"ProjectionType": "KEYS_ONLY"},
                "KeySchema": [{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}],
            }));
        }
        self.engine.apply(
            "CreateTable",
            &json!({
                "TableName": table["name"], "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": attributes,
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "GlobalSecondaryIndexes": indexes,
            }),
        )?;
        Ok(())
    }

    async fn await_runtime(&self) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(60);
        while tokio::net::TcpStream::connect(self.lambda.trim_start_matches("http://"))
            .await
            .is_err()
        {
            ensure!(Instant::now() < until, "cargo lambda watch does not listen");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

/// The access key of a role's credentials.
pub fn access_key(function: &str) -> String {
    format!("ASIA{}", function.to_uppercase().replace('-', ""))
}

/// The operator's own way, past the gate.
fn direct(deployed: &Value, servers: [&Served; 4], lambda: &str) -> anyhow::Result<Config> {
    let environment = deployed["functions"]["custodian"]["environment"].clone();
    let [dynamodb, secrets_manager, sqs, events] = servers.map(Served::url);
    let lambda = lambda.to_owned();
    let config = Config::from_lookup(move |name| match name {
        "AWS_REGION" => Some("eu-central-1".to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("operator".to_owned()),
        "AWS_ENDPOINT_URL_DYNAMODB" => Some(dynamodb.clone()),
        "AWS_ENDPOINT_URL_SECRETS_MANAGER" => Some(secrets_manager.clone()),
        "AWS_ENDPOINT_URL_LAMBDA" => Some(lambda.clone()),
        "AWS_ENDPOINT_URL_SQS" => Some(sqs.clone()),
        "AWS_ENDPOINT_URL_EVENTBRIDGE" => Some(events.clone()),
        name => environment[name].as_str().map(str::to_owned),
    })?;
    Ok(config)
}

/// The queues with what moto's hold, dead-letter queues first.
fn make_queues(queues: &Queues, deployed: &Value) -> anyhow::Result<()> {
    let refused = |refusal| anyhow::anyhow!("a queue cannot be made: {refusal:?}");
    let mut arns = BTreeMap::new();
    for logical in [
        "WorkDeadLetters",
        "SalvageDeadLetters",
        "WorkQueue",
        "SalvageQueue",
    ] {
        let attributes = &deployed["queues"][logical];
        let arn = attributes["QueueArn"].as_str().context("QueueArn")?;
        let name = arn.rsplit(':').next().unwrap_or_default();
        let mut given: Vec<(&str, String)> = Vec::new();
        for known in ["VisibilityTimeout", "FifoQueue"] {
            if let Some(value) = attributes[known].as_str() {
                given.push((known, value.to_owned()));
            }
        }
        if let Some(dead) = match logical {
            "WorkQueue" => arns.get("WorkDeadLetters"),
            "SalvageQueue" => arns.get("SalvageDeadLetters"),
            _ => None,
        } {
            let redrive = json!({"deadLetterTargetArn": dead, "maxReceiveCount": 5});
            given.push(("RedrivePolicy", redrive.to_string()));
        }
        let given: Vec<(&str, &str)> = given
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        arns.insert(logical, queues.create(name, &given).map_err(refused)?);
    }
    Ok(())
}

fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.port())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    ensure!(
        output.status.success(),
        "{:?}: {}",
        command.get_program(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
