//! PURE. Which resource a scope belongs to: a prefix says so, and a bare name is looked up on Graph.

use super::errors::Refusal;

pub(super) const GRAPH: &str = "https://graph.microsoft.com";
pub(super) const POWER_BI: &str = "https://analysis.windows.net/powerbi/api";
pub(super) const YAMMER: &str = "https://www.yammer.com";

/// What concerns the sign-in rather than a resource.
const SIGN_IN: [&str; 4] = ["openid", "profile", "email", "offline_access"];

const ON_GRAPH: &[&str] = &[
    "Calendars.Read",
    "Calendars.Read.Shared",
    "Calendars.ReadBasic",
    "Calendars.ReadWrite",
    "Calendars.ReadWrite.Shared",
    "Channel.ReadBasic.All",
    "ChannelMessage.Read.All",
    "ChannelMessage.Send",
    "Chat.Read",
    "Chat.ReadWrite",
    "ChatMessage.Send",
    "Contacts.Read",
    "Directory.Read.All",
    "Files.Read",
    "Files.Read.All",
    "Files.ReadWrite",
    "Files.ReadWrite.All",
    "Group.Read.All",
    "Mail.Read",
    "Mail.Send",
    "MailboxSettings.Read",
    "OnlineMeetings.Read",
    "OnlineMeetings.ReadWrite",
    "Organization.Read.All",
    "People.Read",
    "People.Read.All",
    "Place.Read.All",
    "Presence.Read",
    "Presence.Read.All",
    "Presence.ReadWrite",
    "Sites.Read.All",
    "Sites.ReadWrite.All",
    "Sites.Selected",
    "Tasks.Read",
    "Tasks.ReadWrite",
    "Team.ReadBasic.All",
    "TeamMember.Read.All",
    "User.Read",
    "User.Read.All",
    "User.ReadBasic.All",
    "User.ReadWrite",
];

const ON_POWER_BI: &[&str] = &[
    "App.Read.All",
    "Capacity.Read.All",
    "Content.Create",
    "Dashboard.Read.All",
    "Dataflow.Read.All",
    "Dataset.Read.All",
    "Dataset.ReadWrite.All",
    "Report.Read.All",
    "Report.ReadWrite.All",
    "Tenant.Read.All",
    "Workspace.Read.All",
];

const ON_YAMMER: &[&str] = &["access_as_user"];

const ON_SHAREPOINT: &[&str] = &[
    "AllSites.FullControl",
    "AllSites.Manage",
    "AllSites.Read",
    "AllSites.Write",
    "MyFiles.Read",
    "MyFiles.Write",
    "Sites.Search.All",
    "TermStore.Read.All",
    "User.Read.All",
];

/// The tenant of a SharePoint host: one label before `.sharepoint.com`.
pub(super) fn sharepoint_tenant(host: &str) -> Option<&str> {
    let tenant = host.strip_suffix(".sharepoint.com")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!tenant.is_empty() && tenant.bytes().all(plain)).then_some(tenant)
}

/// A scope, taken apart.
#[derive(Clone)]
struct Scope {
    resource: String,
    name: String,
    /// As it was asked for.
    spelled: String,
}

/// The scopes of one request.
pub(super) struct Wanted {
    sign_in: Vec<String>,
    of_resources: Vec<Scope>,
}

impl Wanted {
    /// Takes scopes apart; unknown ones are refused in the words of their resource.
    pub(super) fn read(scopes: &[String]) -> Result<Self, Refusal> {
        let mut wanted = Self {
            sign_in: Vec::new(),
            of_resources: Vec::new(),
        };
        for scope in scopes {
            if SIGN_IN.contains(&scope.as_str()) {
                wanted.sign_in.push(scope.clone());
            } else {
                wanted.of_resources.push(take_apart(scope)?);
            }
        }
        for scope in &wanted.of_resources {
            let same = |other: &&Scope| other.resource == scope.resource;
            let named = wanted.of_resources.iter().filter(same).count();
            if scope.name == ".default" && named > 1 {
                return Err(Refusal::default_mixed(&scope.spelled));
            }
        }
        Ok(wanted)
    }

    /// A token is for one resource.
    pub(super) fn single_resource(&self) -> Result<(), Refusal> {
        let audience = self.audience();
        match self
            .of_resources
            .iter()
            .find(|scope| scope.resource != audience)
        {
            Some(other) => Err(Refusal::two_resources(&other.spelled)),
            None => Ok(()),
        }
    }

    /// The resource a token is for; sign-in alone is Graph's.
    pub(super) fn audience(&self) -> &str {
        self.of_resources
            .first()
            .map_or(GRAPH, |scope| &scope.resource)
    }

    /// Every name must have been consented to. `.default` stands for what the app's registration lists, which an
    /// administrator has consented to.
    pub(super) fn within(&self, consented: &[String]) -> Result<(), Refusal> {
        let known: Vec<Scope> = consented
            .iter()
            .filter_map(|scope| take_apart(scope).ok())
            .collect();
        let covers = |scope: &Scope| {
            scope.name == ".default"
                || known.iter().any(|own| {
                    own.resource == scope.resource
                        && (own.name == scope.name || own.name == ".default")
                })
        };
        match self.of_resources.iter().find(|scope| !covers(scope)) {
            Some(scope) => Err(Refusal::not_consented(&scope.spelled)),
            None => Ok(()),
        }
    }

    /// What the reply says was granted: the resource's scopes as they were spelled, and the sign-in's that were
    /// consented to, `offline_access` excepted.
    pub(super) fn granted(&self, consented: &[String]) -> Vec<String> {
        let of_resource = self.of_resources.iter().map(|scope| scope.spelled.clone());
        let signed_in = ["openid", "profile", "email"]
            .map(str::to_owned)
            .into_iter()
            .filter(|scope| consented.contains(scope));
        of_resource.chain(signed_in).collect()
    }
}

/// Whether `scopes` (as granted) allow what needs one of `names` on their resource.
pub(super) fn allow(scopes: &[String], names: &[&str]) -> bool {
    scopes
        .iter()
        .filter_map(|scope| take_apart(scope).ok())
        .any(|scope| scope.name == ".default" || names.contains(&scope.name.as_str()))
}

fn take_apart(spelled: &str) -> Result<Scope, Refusal> {
    let scope = |resource: &str, name: &str| Scope {
        resource: resource.to_owned(),
        name: name.to_owned(),
        spelled: spelled.to_owned(),
    };
    let found = match spelled.rsplit_once('/') {
        None => known(GRAPH, spelled).map(|known| known.then(|| scope(GRAPH, spelled))),
        // `https://host//.default` is how a resource with a trailing slash is written.
        Some((resource, name)) => {
            let resource = resource.trim_end_matches('/');
            known(resource, name).map(|known| known.then(|| scope(resource, name)))
        }
    };
    match found {
        Some(Some(scope)) => Ok(scope),
        Some(None) => Err(Refusal::unknown_scope(spelled)),
        None => Err(Refusal::unknown_resource(spelled)),
    }
}

/// Whether `resource` has a scope `name`; `None` where there is no such resource.
fn known(resource: &str, name: &str) -> Option<bool> {
    let names = match resource {
        GRAPH => ON_GRAPH,
        POWER_BI => ON_POWER_BI,
        YAMMER => ON_YAMMER,
        other => {
            sharepoint_tenant(other.strip_prefix("https://")?)?;
            ON_SHAREPOINT
        }
    };
    Some(name == ".default" || names.contains(&name))
}
