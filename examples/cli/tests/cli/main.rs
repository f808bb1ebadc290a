//! The command line from outside: what scripts and people rely on, one module for each part of it.
#![forbid(unsafe_code)]

#[cfg(test)]
mod audit; // the log is shown, verified and exported, and what was done to it is found
#[cfg(test)]
mod backup; // backups and restores
#[cfg(test)]
mod cases; // one file for each case: arguments in, streams and exit code out
#[cfg(test)]
mod conditions; // changes only while a version is current
#[cfg(test)]
mod copy; // a vault moves to another store
#[cfg(test)]
mod daily; // pages of providers, ends of tokens, ignore files
#[cfg(test)]
mod demo; // the whole of it, and nothing left behind
#[cfg(test)]
mod disputed; // values that readers of .env files read in different ways
#[cfg(test)]
mod floors; // an older store is refused, and accepted by name
#[cfg(test)]
mod generations; // new generations of environment keys, and new token keys
#[cfg(test)]
mod geoip; // countries in reviews
#[cfg(test)]
mod harness; // a place of one's own, and the program in it
#[cfg(test)]
mod help; // a verb's own options first
#[cfg(test)]
mod identity; // operator or token, here or on a server
#[cfg(test)]
mod import; // .env files go in, and references stay behind
#[cfg(test)]
mod keks;
mod keys; // values in and out, exactly
#[cfg(test)]
mod leaked; // a value that leaked does not come back
#[cfg(test)]
mod limits; // how often keys may be retrieved
#[cfg(test)]
mod look; // facts, last uses, words for nothing, colour
#[cfg(test)]
mod mask; // a program's output without the values that it was handed
#[cfg(test)]
mod modes; // live or mock, and who decides
#[cfg(test)]
mod names; // what no name may be
#[cfg(test)]
mod namespaces; // tenants are added, listed, removed
#[cfg(test)]
mod newer; // a server that is newer than the program
#[cfg(test)]
mod planted; // no variable that steers a program comes from a token
#[cfg(test)]
mod private_files; // files and directories are their user's alone, whatever the umask
#[cfg(test)]
mod remote; // the same verbs on a server
#[cfg(test)]
mod replace; // a leak ends with one command
#[cfg(test)]
mod rotate; // a rotation, here and on a server
#[cfg(test)]
mod run; // a program with keys in its environment
#[cfg(test)]
mod scan; // leaks are told, and nothing of a secret is
#[cfg(test)]
mod signals; // of operators, and of whoever rotates log files
#[cfg(test)]
mod streams; // answers on one stream, everything else on another
#[cfg(test)]
mod tail; // the log without the lines of its reader
#[cfg(test)]
mod tls; // a certificate, and its successors
#[cfg(test)]
mod tokens; // issued, narrowed, shown, revoked
#[cfg(test)]
mod vaults; // made, found, refused
