//! `gatectl cert`: the certificate that Keptn's clients see.

mod certificate;
mod checks;
mod finding;
mod own;
mod pair;
mod pem_file;
mod self_signed;
mod show;
mod target;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand};

use crate::domain::Domain;
use crate::outcome::{Exit, Outcome};
pub(crate) use certificate::Certificate;
pub(crate) use show::certificates;
pub(crate) use target::object_name;
use target::{Target, TargetArgs};

/// Makes, checks or shows a certificate, and prints the Secret that the gateway reads it from.
///
/// It needs no cluster: `gatectl cert … | kubectl apply -f -`. A gateway that runs takes the certificate up for
/// new connections by itself.
#[derive(Args, Debug)]
pub(crate) struct CertArgs {
    #[command(subcommand)]
    command: CertCommand,
}

#[derive(Debug, Subcommand)]
enum CertCommand {
    SelfSigned(SelfSignedArgs),
    Own(OwnArgs),
    Show(ShowArgs),
}

/// Makes a key and a self-signed certificate for a domain.
///
/// The key is ECDSA P-256. The certificate covers api.keptn.DOMAIN, *.keptn.DOMAIN and *.DOMAIN; onboarded
/// applications have names two labels deeper, such as carts.sockshop-dev.DOMAIN, and need certificates of their
/// own.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  the Secret is printed or written
  1  the domain is not one; why is on standard error
  2  the arguments make no sense, or the file cannot be written; why is on standard error

Examples:
  gatectl cert self-signed example.org | kubectl apply -f -
  gatectl cert self-signed 10.0.0.1.nip.io:31390 --install standalone -o secret.yaml
  gatectl cert self-signed localhost --install compose -o certs")]
struct SelfSignedArgs {
    /// Keptn's domain, such as example.org; the port of a NodePort may follow.
    domain: OsString,

    /// For how many days the certificate is valid.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,

    #[command(flatten)]
    target: TargetArgs,
}

/// Checks a certificate and key of your own for a domain.
///
/// Everything that is wrong with them is said at once. The Secret is printed only if nothing is.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  the Secret is printed or written; there may be warnings, on standard error
  1  the domain, the certificate or the key cannot be used; why is on standard error
  2  the arguments make no sense, or a file cannot be read or written; why is on standard error

Examples:
  gatectl cert own example.org --cert fullchain.pem --key privkey.pem | kubectl apply -f -
  gatectl cert own example.org --cert tls.crt --key tls.key --credential-name keptn-gateway-certificate")]
struct OwnArgs {
    /// Keptn's domain, such as example.org; the port of a NodePort may follow.
    domain: OsString,

    /// The certificate as PEM, and after it those of the CAs between it and the root.
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,

    /// Its private key as PEM: PKCS#8, PKCS#1 or SEC1, not encrypted.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    #[command(flatten)]
    target: TargetArgs,
}

/// Says what is in a certificate.
///
/// Keys in the same file are passed over.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  all certificates of the file are valid now
  1  one has expired, or is not valid yet
  2  the file cannot be read, or there is no certificate in it; why is on standard error

Examples:
  gatectl cert show tls.crt
  kubectl get secret -n istio-system istio-ingressgateway-certs -o yaml | gatectl cert show -")]
struct ShowArgs {
    /// Certificates as PEM, or a Secret with `tls.crt` as YAML or JSON; `-` is standard input.
    file: PathBuf,
}

pub(crate) fn run(args: &CertArgs, now: SystemTime) -> Outcome {
    let mut outcome = Outcome::default();
    match &args.command {
        CertCommand::SelfSigned(args) => {
            let (domain, target) = read(&args.domain, &args.target, &mut outcome);
            if let (Some(domain), Some(target)) = (domain, target) {
                self_signed(&domain, args, &target, now, &mut outcome);
            }
        }
        CertCommand::Own(args) => {
            let (domain, target) = read(&args.domain, &args.target, &mut outcome);
            own(domain.as_ref(), args, target, now, &mut outcome);
        }
        CertCommand::Show(args) => show::run(&args.file, now, &mut outcome),
    }
    outcome
}

fn read(domain: &OsStr, target: &TargetArgs, outcome: &mut Outcome) -> (Option<Domain>, Option<Target>) {
    let target = target.read().map_err(|why| outcome.cannot_run(&format!("gatectl: {why}"))).ok();
    let domain = Domain::read(domain).map_err(|why| {
        outcome.stderr.push_str(&why);
        outcome.at_least(Exit::Bad);
    });
    (domain.ok(), target)
}

fn self_signed(
    domain: &Domain,
    args: &SelfSignedArgs,
    target: &Target,
    now: SystemTime,
    outcome: &mut Outcome,
) {
    match self_signed::make(domain, args.days, now) {
        Ok(pair) => {
            target.deliver(&pair, outcome);
            if outcome.exit == Exit::Good {
                let [api, keptn, all] = self_signed::names(domain);
                // Without Istio nothing is onboarded.
                let onboarded = if args.target.is_istio() {
                    format!(
                        ";\nonboarded applications have names two labels deeper, such as carts.sockshop-dev.{},\n\
                         and need certificates of their own",
                        domain.host(),
                    )
                } else {
                    String::new()
                };
                outcome.stderr.push_str(&format!(
                    "gatectl: note: the certificate covers {api}, {keptn} and {all}{onboarded}\n"
                ));
            }
        }
        Err(why) => outcome.cannot_run(&format!("gatectl: the certificate cannot be made: {why}")),
    }
}

/// The files are judged even if the domain is wrong: everything is said at once.
fn own(
    domain: Option<&Domain>,
    args: &OwnArgs,
    target: Option<Target>,
    now: SystemTime,
    outcome: &mut Outcome,
) {
    let pair = own::read(&args.cert, &args.key, domain, now, outcome);
    if let (Some(pair), Some(target), Exit::Good) = (pair, target, outcome.exit) {
        target.deliver(&pair, outcome);
    }
}
