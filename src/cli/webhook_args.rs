//! Options of webhooks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::Printer;
use crate::daemon::{Options, Route, Webhooks, listen_to_webhooks};
use crate::http_server::Server;
use crate::metrics::Registry;

/// How a daemon is told of pushes.
#[derive(Debug, clap::Args)]
pub(super) struct WebhookArgs {
    /// Address for webhooks of GitHub, GitLab, Gitea and others, at /webhook: a push has the files looked at at once
    /// [default: none]
    #[arg(long, value_name = "ADDRESS", help_heading = "Webhooks")]
    webhook_listen: Option<SocketAddr>,

    /// File with the secret that webhooks are signed with (HMAC-SHA256), or GitLab's token; read anew for each of them
    #[arg(long, value_name = "FILE", requires = "webhook_listen", help_heading = "Webhooks")]
    webhook_secret_file: Option<PathBuf>,
}

impl WebhookArgs {
    /// Takes webhooks in, where that is asked for; `secrets` are those of single fleets, by name.
    pub(super) async fn listen(
        &self,
        fleets: &[Options],
        secrets: &BTreeMap<String, PathBuf>,
        metrics: Arc<Registry>,
        printer: &Printer,
    ) -> anyhow::Result<Option<Server>> {
        let Some(address) = self.webhook_listen else {
            if let Some(name) = secrets.keys().next() {
                anyhow::bail!(
                    "fleet `{name}` has a webhookSecretFile, and nothing listens: give --webhook-listen ADDRESS"
                );
            }
            return Ok(None);
        };
        let route = |options: &Options| {
            let own = options.name.as_ref().and_then(|name| secrets.get(name));
            Some(Route {
                name: options.name.clone(),
                source: options.source.clone(),
                bell: options.bell.clone(),
                secret: own.or(self.webhook_secret_file.as_ref())?.clone(),
            })
        };
        let routes: Vec<Route> = fleets.iter().filter_map(route).collect();
        if routes.is_empty() {
            anyhow::bail!(
                "--webhook-listen needs the secret that webhooks are signed with: give --webhook-secret-file FILE, or fleets of \
                 --config a webhookSecretFile"
            );
        }
        let server = listen_to_webhooks(Webhooks::new(routes, metrics)?, address).await?;
        printer.data(&format!("webhooks: {}\n", server.address()))?;
        Ok(Some(server))
    }
}
