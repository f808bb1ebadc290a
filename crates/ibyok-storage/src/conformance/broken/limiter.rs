//! A limiter with a fault.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::Fault;
use crate::error::Result;
use crate::limiter::{Draw, Limiter, Taken};

/// The number of uses taken out of each bucket, and the time of that number.
pub(super) type Buckets = Arc<Mutex<HashMap<[u8; 16], (f64, Instant)>>>;

#[derive(Debug, Clone)]
pub(super) struct FaultyLimiter {
    pub(super) fault: Fault,
    pub(super) buckets: Buckets,
}

impl FaultyLimiter {
    /// Returns the number of uses that are out of a bucket now.
    fn out(&self, bucket: Option<&(f64, Instant)>, draw: &Draw) -> f64 {
        let Some((out, since)) = bucket else {
            return 0.0;
        };
        if self.fault == Fault::NeverRefills {
            return *out;
        }
        let back = since.elapsed().as_secs_f64() * f64::from(draw.count.get()) / f64::from(draw.seconds.get());
        (out - back).max(0.0)
    }
}

#[async_trait]
impl Limiter for FaultyLimiter {
    async fn take(&self, draws: &[Draw]) -> Result<Taken> {
        let mut buckets = self.buckets.lock().unwrap();
        let mut after = Vec::new();
        for (which, draw) in draws.iter().enumerate() {
            let out = self.out(buckets.get(&draw.bucket), draw) + 1.0;
            let lacks = out - f64::from(draw.count.get());
            if lacks > 0.0 {
                let wait = lacks * f64::from(draw.seconds.get()) / f64::from(draw.count.get());
                let wait = Duration::from_secs_f64(wait) + Duration::from_micros(1);
                return Ok(Taken::None { which, wait });
            }
            after.push((draw.bucket, (out, Instant::now())));
            if self.fault == Fault::TakesFromSome {
                buckets.extend(after.clone());
            }
        }
        buckets.extend(after);
        Ok(Taken::All)
    }
}
