//! Options of webhooks.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Printer;
use crate::daemon::{Options, Webhooks, listen_to_webhooks};
use crate::http_server::Server;

/// How a daemon is told of pushes.
#[derive(Debug, clap::Args)]
pub(super) struct WebhookArgs {
    /// Address for webhooks of GitHub, GitLab, Gitea and others, at /webhook: a push has the files looked at at once
    /// [default: none]
    #[arg(
        long,
        value_name = "ADDRESS",
        requires = "webhook_secret_file",
        help_heading = "Webhooks"
    )]
    webhook_listen: Option<SocketAddr>,

    /// File with the secret that webhooks are signed with (HMAC-SHA256), or GitLab's token; read anew for each of them
    #[arg(long, value_name = "FILE", requires = "webhook_listen", help_heading = "Webhooks")]
    webhook_secret_file: Option<PathBuf>,
}

impl WebhookArgs {
    /// Takes webhooks in, where that is asked for.
    pub(super) async fn listen(&self, options: &Options, printer: &Printer) -> anyhow::Result<Option<Server>> {
        let (Some(address), Some(secret)) = (self.webhook_listen, &self.webhook_secret_file) else {
            return Ok(None);
        };
        let webhooks = Webhooks::new(options, secret.clone())?;
        let server = listen_to_webhooks(webhooks, address).await?;
        printer.data(&format!("webhooks: {}\n", server.address()))?;
        Ok(Some(server))
    }
}
