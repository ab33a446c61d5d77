//! Envoy's configuration without Istio, made from the `envoy.yaml` that is run and tested: what is said there once is
//! not said again, and cannot become different.
//!
//! It is edited by whole lines, each of which must stand there exactly once. So a change of `envoy.yaml` that this
//! file does not know is an error of a test, and never an installation with half of it.

use serde_json::Value;

use super::upstream::Upstream;
use super::yaml;

const ENVOY_YAML: &str = include_str!("../../../../envoy.yaml");

/// The host that `/ready` asks for where the configuration names none: Keptn's command line sends it.
const HOST: &str = "api.keptn";

/// Where Envoy runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// In pods, before the services of Keptn's namespace.
    Kubernetes {
        /// Keptn's.
        namespace: &'a str,
    },
    /// In a container, before services of one's own; with a port for TLS.
    Compose,
}

/// What is asked of people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) place: Place<'a>,
    /// How many proxies that append to `X-Forwarded-For` stand in front.
    pub(crate) trusted_hops: u8,
    /// The filter's configuration, which the gate accepts.
    pub(crate) configuration: &'a Value,
    /// Where the configuration's upstreams of one's own are.
    pub(crate) upstreams: &'a [Upstream],
}

/// The `envoy.yaml` for it.
///
/// # Errors
///
/// The project's `envoy.yaml` has not the line that should be edited, or more than once. A test sees that first.
pub(crate) fn envoy_yaml(wanted: &Wanted<'_>) -> Result<String, String> {
    let mut text = Lines(ENVOY_YAML.lines().map(str::to_owned).collect());
    text.replace_until("# keptn-gateway in a plain Envoy", "# The admin interface shows", wanted.head())?;
    memory(&mut text)?;
    text.replace("# Lets a cluster point at a listener of this same Envoy. Only", BOOTSTRAP_EXTENSION)?;
    clusters(&mut text, wanted)?;
    client_address(&mut text, wanted)?;
    filter(&mut text, wanted.configuration)?;
    routes(&mut text, wanted.upstreams)?;
    text.insert_above("            # A time limit: of the service or of the client.", OVERLOADED)?;
    text.replace_until("  # THE STAND-INS.", "", "")?;
    if wanted.place == Place::Compose {
        text.replace("    - filters:", "    - filters: &gateway")?;
        text.push(TLS_LISTENER);
    }
    text.push(&PROBES.replace("HOST", &yaml::text(wanted.host())));
    text.push(READINESS);
    Ok(text.0.join("\n") + "\n")
}

impl Wanted<'_> {
    const fn head(&self) -> &'static str {
        match self.place {
            Place::Kubernetes { .. } => KUBERNETES_HEAD,
            Place::Compose => COMPOSE_HEAD,
        }
    }

    /// The name by which Envoy asks DNS for a service of Keptn's.
    fn address(&self, service: &str) -> String {
        match self.place {
            Place::Kubernetes { namespace } => format!("{service}.{namespace}.svc.cluster.local"),
            Place::Compose => service.to_owned(),
        }
    }

    /// One that is ours.
    fn host(&self) -> &str {
        let first = self.configuration.get("hosts").and_then(|hosts| hosts.get(0));
        first.and_then(Value::as_str).unwrap_or(HOST)
    }
}

fn memory(text: &mut Lines) -> Result<(), String> {
    text.replace("# How many client connections Envoy accepts:", MEMORY_COMMENT)?;
    text.insert_above("  - name: envoy.resource_monitors.global_downstream_max_connections", MEMORY_MONITOR)?;
    text.replace("      max_active_downstream_connections: 10000", MEMORY_ACTIONS)
}

fn clusters(text: &mut Lines, wanted: &Wanted<'_>) -> Result<(), String> {
    text.replace_until("  # WHAT IS BEHIND THE GATEWAY.", "  clusters:", CLUSTERS_COMMENT)?;
    for service in ["api-service", "configuration-service"] {
        let name = format!("  - name: {service}");
        text.replace_below(&name, "    type: STATIC # STAND-IN", "    type: STRICT_DNS")?;
        let stand_in = "        - endpoint: { address: { envoy_internal_address:";
        text.replace_below(&name, stand_in, &endpoint(&wanted.address(service), 8080))?;
    }
    for upstream in wanted.upstreams {
        let endpoint = endpoint(&upstream.host, upstream.port);
        let cluster = CLUSTER.replace("NAME", &yaml::text(&upstream.name)).replace("ENDPOINT", &endpoint);
        text.insert_above("  listeners:", &cluster)?;
    }
    text.insert_above("  listeners:", READINESS_CLUSTER)
}

fn endpoint(host: &str, port: u16) -> String {
    let host = yaml::text(host);
    format!(
        "        - endpoint: {{ address: {{ socket_address: {{ address: {host}, port_value: {port} }} }} }}"
    )
}

fn client_address(text: &mut Lines, wanted: &Wanted<'_>) -> Result<(), String> {
    let comment = match wanted.place {
        Place::Kubernetes { .. } => KUBERNETES_HOPS,
        Place::Compose => COMPOSE_HOPS,
    };
    text.replace_until("          # Who the client is:", "          use_remote_address: true", comment)?;
    let hops = format!("          xff_num_trusted_hops: {}", wanted.trusted_hops);
    text.replace("          xff_num_trusted_hops: 0", &hops)
}

fn filter(text: &mut Lines, configuration: &Value) -> Result<(), String> {
    // One and the same filter, so that there is one gate for each worker.
    text.replace("          - name: keptn-gateway", "          - &gate\n            name: keptn-gateway")?;
    let json = yaml::json(configuration);
    let indented: Vec<_> = json.lines().map(|line| format!("                    {line}")).collect();
    text.replace("                    {}", &indented.join("\n"))
}

fn routes(text: &mut Lines, upstreams: &[Upstream]) -> Result<(), String> {
    for upstream in upstreams {
        let route = ROUTE.replace("NAME", &yaml::text(&upstream.name));
        text.insert_above("          # What Envoy refuses by itself looks like", &route)?;
    }
    Ok(())
}

/// A text by its lines. What is looked for is how a line begins, and it must be one line that does.
struct Lines(Vec<String>);

impl Lines {
    fn find(&self, from: usize, start: &str) -> Result<usize, String> {
        let found = self.0.iter().enumerate().skip(from).filter(|(_, line)| line.starts_with(start));
        let all: Vec<usize> = found.map(|(at, _)| at).collect();
        match *all {
            [only] => Ok(only),
            _ => {
                Err(format!("envoy.yaml should have one line that begins with {start:?}, not {}", all.len()))
            }
        }
    }

    fn splice(&mut self, from: usize, until: usize, with: &str) {
        self.0.splice(from..until, with.lines().map(str::to_owned));
    }

    fn replace(&mut self, start: &str, with: &str) -> Result<(), String> {
        let at = self.find(0, start)?;
        self.splice(at, at.saturating_add(1), with);
        Ok(())
    }

    /// The first such line below another one.
    fn replace_below(&mut self, above: &str, start: &str, with: &str) -> Result<(), String> {
        let from = self.find(0, above)?;
        let below = self.0.iter().skip(from).position(|line| line.starts_with(start));
        let at =
            from.saturating_add(below.ok_or_else(|| format!("envoy.yaml has no {start:?} below {above:?}"))?);
        self.splice(at, at.saturating_add(1), with);
        Ok(())
    }

    /// From one line to above another one; without that to the end.
    fn replace_until(&mut self, start: &str, until: &str, with: &str) -> Result<(), String> {
        let from = self.find(0, start)?;
        let until = if until.is_empty() { self.0.len() } else { self.find(from, until)? };
        self.splice(from, until, with);
        Ok(())
    }

    fn insert_above(&mut self, start: &str, what: &str) -> Result<(), String> {
        let at = self.find(0, start)?;
        self.splice(at, at, what);
        Ok(())
    }

    fn push(&mut self, what: &str) {
        self.0.extend(what.lines().map(str::to_owned));
    }
}

const KUBERNETES_HEAD: &str = r"# Envoy's configuration in Kubernetes, before Keptn's services. It is the project's envoy.yaml without the stand-ins: `gatectl
# render --install standalone` makes it, with a domain, a filter's configuration and services of your own.
#
# A change of it is a new ConfigMap and so new pods: no connection keeps the old one.

";

const COMPOSE_HEAD: &str = r"# Envoy's configuration for docker compose, before services of your own. It is the project's envoy.yaml without the stand-ins:
# `gatectl render --install compose` makes it, with a filter's configuration and services of your own.
#
# After a change: `docker compose restart gateway`.

";

const MEMORY_COMMENT: &str = r"# What keeps Envoy from running out of memory and files: how much of the container's memory is in use, and how many client
# connections there are.";

const MEMORY_MONITOR: &str = r#"  - name: envoy.resource_monitors.cgroup_memory
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.cgroup_memory.v3.CgroupMemoryConfig
"#;

const MEMORY_ACTIONS: &str = r"      # Each may fill 128 KiB of buffers.
      max_active_downstream_connections: 2500
  actions:
  - name: envoy.overload_actions.shrink_heap
    triggers: [{ name: envoy.resource_monitors.cgroup_memory, threshold: { value: 0.85 } }]
  # Answers close their connections.
  - name: envoy.overload_actions.disable_http_keepalive
    triggers: [{ name: envoy.resource_monitors.cgroup_memory, threshold: { value: 0.9 } }]
  # 503, before the kernel ends the process and all that is under way.
  - name: envoy.overload_actions.stop_accepting_requests
    triggers: [{ name: envoy.resource_monitors.cgroup_memory, threshold: { value: 0.95 } }]
";

const BOOTSTRAP_EXTENSION: &str =
    r"# Lets a cluster point at a listener of this same Envoy, as `/ready` does.";

const CLUSTERS_COMMENT: &str = r"  # WHAT IS BEHIND THE GATEWAY. The filter knows these two clusters by name. Envoy asks DNS every 5 s, and starts without
  # them: what needs a service that is not there gets 503.
";

const CLUSTER: &str = r"  - name: NAME
    type: STRICT_DNS
    load_assignment:
      cluster_name: NAME
      endpoints:
      - lb_endpoints:
ENDPOINT
    connect_timeout: 1s
    per_connection_buffer_limit_bytes: 65536
    circuit_breakers: *limits
    typed_extension_protocol_options: *http1

";

const READINESS_CLUSTER: &str = r"  # The listener `readiness`, below.
  - name: readiness
    type: STATIC
    connect_timeout: 1s
    load_assignment:
      cluster_name: readiness
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { envoy_internal_address: { server_listener_name: readiness } } }

";

const KUBERNETES_HOPS: &str = r"          # Who the client is: what so many proxies in front wrote into X-Forwarded-For. 1 behind an Ingress; 0 where
          # the Service is reached directly; one more for each load balancer before the Ingress that appends to it.
          # One too many, and clients choose their own address.
";

const COMPOSE_HOPS: &str = r"          # Who the client is: the other end of the connection, whatever its headers say. Where proxies that append
          # to X-Forwarded-For stand in front, give their number here. One too many, and clients choose their own
          # address.
";

const ROUTE: &str = r"              - name: NAME
                match:
                  prefix: /
                  filter_state:
                  - { key: wasm.keptn.upstream, string_match: { exact: NAME } }
                route: { cluster: NAME, timeout: *answer_timeout, retry_policy: *retry }
                request_headers_to_add: *client_address

";

const OVERLOADED: &str = r#"            # Short of memory: see `overload_manager`. It sets no flag, only the details.
            - filter:
                extension_filter:
                  name: envoy.access_loggers.extension_filters.cel
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter
                    expression: response.code_details == 'overload'
              headers_to_add: *no_store
              body_format_override:
                content_type: application/json
                text_format_source: { inline_string: '{"code":%RESPONSE_CODE%,"message":"the gateway has too much to do"}' }
"#;

const TLS_LISTENER: &str = r#"  # The same over TLS: Keptn's command line speaks https unless told `--scheme=http`.
  - name: gateway-tls
    address:
      socket_address: { address: 0.0.0.0, port_value: 8443 }
    per_connection_buffer_limit_bytes: 65536
    filter_chains:
    - filters: *gateway
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates:
            - certificate_chain: { filename: /etc/envoy/certs/tls.crt }
              private_key: { filename: /etc/envoy/certs/tls.key }

"#;

const PROBES: &str = r#"  # THE PROBES, on a port of their own.
  - name: probes
    address:
      socket_address: { address: 0.0.0.0, port_value: 8081 }
    # They must be answered also when there are too many connections, and when memory is short.
    ignore_global_conn_limit: true
    bypass_overload_manager: true
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: probes
          request_headers_timeout: 5s
          common_http_protocol_options: { idle_timeout: 15s }
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            virtual_hosts:
            - name: probes
              domains: ["*"]
              routes:
              - match: { path: /live }
                direct_response: { status: 200, body: { inline_string: "live\n" } }
              # Whether the gate judges requests is for the gate to show.
              - match: { path: /ready }
                route: { cluster: readiness, timeout: 1s, host_rewrite_literal: HOST, prefix_rewrite: /swagger.json }

"#;

const READINESS: &str = r#"  # A request for a public document, through the same filter: same code, same VM, same configuration. Its route opens to the
  # gate's verdict alone, as the gateway's do, and answers in the place of the service. 503 while the VM is dead, 404 without
  # the filter; and with a plugin or a configuration that is refused Envoy does not start.
  - name: readiness
    internal_listener: {}
    ignore_global_conn_limit: true
    bypass_overload_manager: true
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: readiness
          http_filters:
          - *gate
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            virtual_hosts:
            - name: readiness
              domains: ["*"]
              routes:
              - match: { path: /swagger.json, filter_state: *to_api_service }
                direct_response: { status: 200, body: { inline_string: "ready\n" } }
"#;
