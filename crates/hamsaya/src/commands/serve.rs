//! `hamsaya serve DIR`: runs a node until it is asked to stop.
use super::Outcome;
use crate::complaint::Complaint;
use anyhow::Result;
use clap::Args;
use hamsaya_node::{Options, ServeError, serve};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Run the node of a folder: take statements, witness the others, judge, answer HTTP
///
/// Opens the folder first: if one byte does not fit, it names it and does not start. Ctrl-C stops it.
#[derive(Args)]
pub struct Serve {
    /// Folder of the node
    dir: PathBuf,
    /// Where to listen, whatever the settings say
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Time moves only by `POST /api/clock`, from this machine; for the demo
    #[arg(long)]
    scenario_clock: bool,
    /// Stop when standard input ends, as it does when the process that started this one is gone
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

impl Serve {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let options = Options { scenario_clock: self.scenario_clock, listen: self.listen };
        runtime.block_on(async {
            let running = serve(&self.dir, options).await.map_err(|e| self.complaint(&e))?;
            writeln!(out, "{}  {}", self.dir.display(), running.url())?;
            out.flush()?;
            self.until_asked_to_stop().await?;
            running.stop().await;
            Ok(Outcome::NoBreach)
        })
    }

    fn complaint(&self, error: &ServeError) -> Complaint {
        let said = error.to_string();
        match said.split_once("\nhint: ") {
            Some((what, hint)) => Complaint::new(what).hint(hint),
            None => Complaint::new(said)
                .at(self.dir.display())
                .hint(format!("`hamsaya verify {}` lists every place that does not fit", self.dir.display())),
        }
    }

    async fn until_asked_to_stop(&self) -> Result<()> {
        if self.stop_with_stdin {
            let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
            tokio::select! {
                // Whatever ended it: nobody is there any more.
                _ = ended => {}
                pressed = tokio::signal::ctrl_c() => pressed?,
            }
        } else {
            tokio::signal::ctrl_c().await?;
        }
        Ok(())
    }
}
