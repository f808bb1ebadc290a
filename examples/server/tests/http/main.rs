//! The server as its clients meet it: real sockets, on a vault in memory with an audit log in a temporary directory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "tests may panic on unexpected results"
)]

mod world; // a vault, a server, and a client that may send any bytes

mod answered; // a refusal is read by its client, whatever body it sends
mod anything; // whatever can be asked
mod bodies; // sizes, kinds, and JSON that means two things
mod caching; // no answer is kept by anybody
mod client; // the typed client against the real server
mod conditions; // If-Match, and the ETag that goes with it
mod copies; // a leaked value under other names
mod described; // limits, names and nulls as the description has them
mod documents; // what the library says and what the wire says
mod doors; // retrievals past the router and through it
mod guesses; // nothing tells whether a guess is right
mod keys; // set, add, edit, disable, enable, remove, list
mod leaked; // a value that leaked does not come back
mod limits; // how often, and when to come back
mod load; // what one token, one address and one connection may cost
mod modes; // guardrails, overrides, defaults; providers that are recognised
mod oracle; // look-ups of values are counted
mod outages; // parts that fail, and clients that go away
mod proxies; // whose address it is
mod recorded; // every route, byte for byte
mod replaced; // a leaked value is replaced in the step that opens its incident
mod rotation; // stage, promote, roll back, and what each needs
mod secrets; // no secret in a name or a header reaches an answer or a log
mod shares; // the memory for bodies of one token
mod statuses; // which request gets which status and code
mod stopping; // a server that stops loses no answer
mod tenants; // two namespaces on one server
mod tokens; // issue, show, list, revoke, and what each may not
mod usage; // who used what, and who may know
mod values; // retrieval in all its forms, and that nothing else gives a value
mod vault; // clients of HashiCorp Vault and OpenBao
mod wire; // bytes that are no proper request, and clients that are slow
