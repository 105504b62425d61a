//! An answer that comes line by line, for as long as the server likes: a watch.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use kube::client::Body;
use tokio::time::{Instant, timeout};

use super::http::{Answer, Call, Http, HttpError, no_answer, request};
use super::status::Refusal;

impl Http {
    /// Sends a request, once, and gives the lines of its answer as they come; or the server's refusal.
    pub(super) async fn stream(&self, call: &Call) -> Result<Result<Lines, Refusal>, HttpError> {
        let late = |_| HttpError::Deadline(self.deadline);
        let request = request(call, Bytes::new())?;
        let begun = Instant::now();
        let response = timeout(self.deadline, self.client.send(request)).await;
        let code = match &response {
            Ok(Ok(response)) => Some(response.status().as_u16()),
            Ok(Err(_)) | Err(_) => None,
        };
        self.metrics.kubernetes_request("WATCH", code, begun.elapsed());
        let response = response.map_err(late)?.map_err(no_answer)?;
        let status = response.status();
        if status.is_success() {
            return Ok(Ok(Lines {
                body: response.into_body(),
                buffer: Vec::new(),
            }));
        }
        let bytes = timeout(self.deadline, response.into_body().collect_bytes()).await;
        let bytes = bytes.map_err(late)?.map_err(no_answer)?;
        let answer = Answer {
            status: status.as_u16(),
            text: String::from_utf8(bytes.into()).map_err(|_| HttpError::Encoding)?,
        };
        Ok(Err(Refusal::of(&answer)))
    }
}

/// An answer that comes line by line.
pub(super) struct Lines {
    body: Body,
    /// What has come and is no whole line yet.
    buffer: Vec<u8>,
}

impl Lines {
    /// The next line without its end; none where the answer is over. A last line that was cut off is dropped.
    ///
    /// # Errors
    /// Where nothing comes for longer than `silence`, a line is longer than `longest` bytes, or the connection breaks.
    pub(super) async fn next(&mut self, silence: Duration, longest: usize) -> Result<Option<String>, HttpError> {
        let mut looked_at = 0;
        loop {
            if let Some(end) = self.buffer[looked_at..].iter().position(|&byte| byte == b'\n') {
                let rest = self.buffer.split_off(looked_at + end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                return String::from_utf8(line).map(Some).map_err(|_| HttpError::Encoding);
            }
            looked_at = self.buffer.len();
            if looked_at > longest {
                return Err(HttpError::Nonsense("a line of it is too long"));
            }
            let frame = tokio::time::timeout(silence, self.body.frame())
                .await
                .map_err(|_| HttpError::Deadline(silence))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(no_answer(error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Lines {
        Lines {
            body: Body::from(text.as_bytes().to_vec()),
            buffer: Vec::new(),
        }
    }

    #[tokio::test]
    async fn lines_come_whole_and_what_was_cut_off_does_not_come() {
        const SOON: Duration = Duration::from_secs(1);
        let mut some = lines("one\ntwo\nthr");
        assert_eq!(some.next(SOON, 10).await.unwrap().as_deref(), Some("one"));
        assert_eq!(some.next(SOON, 10).await.unwrap().as_deref(), Some("two"));
        assert_eq!(some.next(SOON, 10).await.unwrap(), None);
        assert!(lines("much too long for it").next(SOON, 10).await.is_err());
    }
}
