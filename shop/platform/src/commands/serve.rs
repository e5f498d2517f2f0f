//! `switchboard serve`: one service, or the gateway, in this process, until Ctrl-C.

use std::process::ExitCode;

use switchboard_core::BoxError;

use super::show::line;
use super::up::{asked_to_end, runtime};
use crate::cli::Serve;
use crate::edge::Doors;
use crate::folder::Folder;
use crate::mail::Mail;
use crate::platform::{ANY, Options};
use crate::serve::{GATEWAY, Serving};
use crate::settings::{Origin, Settings};
use crate::topology;

/// Starts it, prints where it is, and keeps it until it is asked to end.
///
/// # Errors
/// What keeps it from starting or going on, with what to do about it.
pub fn run(settings: &Settings, serve: &Serve) -> Result<ExitCode, BoxError> {
    let services = topology::services();
    let service = services.into_iter().find(|service| service.name == serve.service);
    if service.is_none() && serve.service != GATEWAY {
        let known = topology::names().join(", ");
        let wanted = &serve.service;
        return Err(format!("`{wanted}` is not a service; there are: {known}, {GATEWAY}").into());
    }
    let listen = match (&service, &settings.listen.from) {
        // The usual port is the shop's door; a service takes any, and says which.
        (Some(_), Origin::Default) => ANY,
        _ => settings.listen.value,
    };
    let options = Options::new(Folder::share(&settings.data.value)?)
        .with_listen(listen)
        .with_public(settings.public.value)
        .with_engines(settings.engines())
        .with_doors(Doors::of(settings))
        .with_mail(Mail::of(settings)?);
    runtime()?.block_on(async {
        let asked = asked_to_end()?;
        tokio::pin!(asked);
        let starting = async {
            match service {
                Some(service) => Serving::service(service, options).await,
                None => Serving::gateway(&settings.upstream.value, options).await,
            }
        };
        let mut serving = tokio::select! {
            started = starting => started?,
            () = &mut asked => return Ok(()),
        };
        announce(&serve.service, &serving);
        let ready = tokio::select! {
            ready = serving.ready() => Some(ready),
            () = &mut asked => None,
        };
        match ready {
            Some(ready) => ready?,
            None => return serving.run(std::future::ready(())).await.map_err(BoxError::from),
        }
        line("ready; Ctrl-C ends it");
        serving.run(asked).await?;
        line("everything has ended in order");
        Ok::<_, BoxError>(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn announce(service: &str, serving: &Serving) {
    let url = serving.url();
    line(&format!("{service:<15} {url}"));
    line(&format!("keys            {}", serving.folder().path().display()));
    if service == GATEWAY {
        line(&format!("console         {url}/console"));
        line(&format!("operator token  {}", serving.folder().operator_token().display()));
    }
}
