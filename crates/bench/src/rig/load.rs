//! What the load asks for: one request, for all generators.

use std::collections::BTreeMap;

/// A token that the auth service takes.
pub(crate) const GOOD: &str = "bench-good-token-24bytes";
/// A token that stands in the filter's configuration, and that the auth service does not take.
pub(crate) const LOCAL: &str = "local-good-token-24bytes";
/// A token that nobody takes.
pub(crate) const WRONG: &str = "wrong-token-of-24-bytes-";

/// How many request headers a filter sees, as the host's map has them: `:authority`, `:path`, `:method`, `:scheme`, what
/// Envoy adds at the edge (`x-forwarded-for`, `x-forwarded-proto`, `x-envoy-external-address`, `x-request-id`), and the
/// token. The client sends `Host` and `X-Token`.
pub(crate) const HEADERS: usize = 9;

/// Which token a request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// None.
    Missing,
    /// Always this one.
    Fixed(&'static str),
    /// Each time another one that nobody has seen.
    New,
    /// Each time another one that nobody takes.
    NewWrong,
    /// So many, one after the other.
    InTurn(u64),
}

impl Token {
    /// What tokens that are made begin with: the auth service tells by it.
    pub(crate) fn prefix(self) -> &'static str {
        if self == Self::NewWrong { "wrong" } else { "bench" }
    }
}

/// What is asked for, over and over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) path: &'static str,
    pub(crate) token: Token,
    /// Headers that mean nothing, besides the [`HEADERS`].
    pub(crate) extra_headers: usize,
    /// Each request says that it comes from another client, in `x-forwarded-for`.
    pub(crate) addresses: bool,
    /// The only right answer.
    pub(crate) status: u16,
}

impl Load {
    /// The request of *hit*.
    pub(crate) const HIT: Self = Self {
        path: "/configuration-service/v1/project",
        token: Token::Fixed(GOOD),
        extra_headers: 0,
        addresses: false,
        status: 200,
    };

    /// The request, with `{token}` and `{address}` in the place of what changes.
    pub(crate) fn template(&self) -> String {
        let mut text = format!("GET {} HTTP/1.1\r\nHost: api.keptn\r\n", self.path);
        if self.addresses {
            text += "X-Forwarded-For: {address}\r\n";
        }
        for n in 0..self.extra_headers {
            text += &format!("X-Header-{n:02}: a value like others\r\n");
        }
        match self.token {
            Token::Missing => {}
            Token::Fixed(token) => text += &format!("X-Token: {token}\r\n"),
            Token::New | Token::NewWrong | Token::InTurn(_) => text += "X-Token: {token}\r\n",
        }
        text + "\r\n"
    }

    /// The request number `n` of the run number `run`. Two runs share no token that is to be new.
    pub(crate) fn request(&self, run: u32, n: u64) -> Vec<u8> {
        let n_of_token = match self.token {
            Token::InTurn(count) => n % count,
            _ => n,
        };
        let [_, _, _, _, _, a, b, c] = n.to_be_bytes();
        let prefix = self.token.prefix();
        self.template()
            .replace("{token}", &format!("{prefix}-{run:06}-{n_of_token:011}"))
            .replace("{address}", &format!("10.{a}.{b}.{c}"))
            .into_bytes()
    }
}

/// The answers to a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// How many with each status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// How many requests got none: connections that broke, time-outs.
    pub(crate) broken: u64,
}

impl Answers {
    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Counts one.
    pub(crate) fn add(&mut self, status: u16) {
        *self.statuses.entry(status).or_default() += 1;
    }

    /// Says what is wrong with them, if `status` is the only right one.
    pub(crate) fn wrong(&self, status: u16) -> Option<String> {
        let right = self.statuses.len() == 1 && self.statuses.contains_key(&status) && self.broken == 0;
        (!right).then(|| {
            let counts: Vec<String> =
                self.statuses.iter().map(|(status, count)| format!("{count} × {status}")).collect();
            format!(
                "every answer should be {status}, and they are {}, and {} requests got none",
                if counts.is_empty() { "none".to_owned() } else { counts.join(", ") },
                self.broken
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_status_among_thousands_is_told() {
        let mut answers = Answers { statuses: BTreeMap::from([(200, 10_000)]), broken: 0 };
        assert_eq!(answers.wrong(200), None);
        answers.add(503);
        assert!(answers.wrong(200).unwrap().contains("1 × 503"));
    }

    #[test]
    fn no_answer_at_all_is_wrong_as_well() {
        assert!(Answers::default().wrong(200).is_some());
        let broken = Answers { statuses: BTreeMap::from([(200, 10_000)]), broken: 1 };
        assert!(broken.wrong(200).is_some());
    }

    #[test]
    fn tokens_in_turn_come_again_and_new_ones_never() {
        let turn = Load { token: Token::InTurn(3), ..Load::HIT };
        assert_eq!(turn.request(1, 1), turn.request(1, 4));
        assert_ne!(turn.request(1, 1), turn.request(1, 2));
        let new = Load { token: Token::New, ..Load::HIT };
        assert_ne!(new.request(1, 1), new.request(1, 4));
        assert_ne!(new.request(1, 1), new.request(2, 1));
    }
}
