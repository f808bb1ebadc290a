//! An answer that is lost on its way, at each of many points: what was asked is done once and never twice.

use crate::proxy::{Fault, Proxy};
use crate::shared::Shared;
use crate::site::{Node, Site, key, unavailable};

crate::on!(postgres redis, a_write_whose_answer_is_lost_is_done_once);

/// The number of points that are tried. The answer to the write is among the last bytes of all answers.
const POINTS: usize = 32;
const STEP: usize = 7;

/// Writes a third version, and returns whether the write is known to be done, and the number of bytes of answers
/// meanwhile.
async fn third(node: &Node, proxy: &Proxy, reference: &str, fault: impl FnOnce() -> Fault) -> (bool, usize) {
    for value in ["first", "second"] {
        node.set(reference, value).await.expect("a version");
    }
    proxy.set(fault());
    let outcome = node.set(reference, "third").await;
    let bytes = proxy.bytes();
    proxy.set(Fault::Pass);
    match outcome {
        Ok(version) => assert_eq!(version, 3),
        refused => {
            unavailable(refused);
            return (false, bytes);
        }
    }
    (true, bytes)
}

async fn a_write_whose_answer_is_lost_is_done_once(shared: Shared) {
    let (site, proxy) = (Site::new(), Proxy::start(shared.port()));
    site.create(&shared.url()).await;
    // Nodes that look at the store itself, and not at what they may still remember.
    let direct = site.open_without_cache(&shared.url()).await.expect("a node");
    let cut = site
        .open_without_cache(&shared.url_at(proxy.port()))
        .await
        .expect("a node");
    let token = direct.token("reader", "prod").await;
    let (_, bytes) = third(&cut, &proxy, "prod/measured", || Fault::Pass).await;
    let (mut done, mut again) = (0, 0);
    for point in 0..POINTS {
        let reference = format!("prod/at-{point:03}");
        let at = bytes.saturating_sub(1 + point * STEP);
        let (known, carried) = third(&cut, &proxy, &reference, || Fault::Cut(at)).await;
        // After a cut more is asked: whether it was done.
        again += usize::from(carried > bytes);
        done += usize::from(known);
        let shown = direct.operator().keys().show(&key(&reference)).await.expect("a key");
        let versions = shown.versions.len();
        assert!(
            if known {
                versions == 3
            } else {
                versions == 2 || versions == 3
            },
            "{at} of {bytes}"
        );
        if versions == 3 {
            assert_eq!(direct.get(&token, &reference).await.expect("a value"), "third");
        }
    }
    println!(
        "{}: answers cut at {POINTS} points: {done} writes known to be done, {} not known, none done twice",
        shared.name(),
        POINTS - done
    );
    assert!(again > 0, "no answer was cut");
    // The log of the node that was cut off is whole.
    cut.allowed().await;
}
