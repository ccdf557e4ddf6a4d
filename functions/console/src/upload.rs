//! A form with files in it (RFC 7578), taken on the same three conditions as any other: see `session`. Lambda hands over 6 MB
//! at most, of which base64 takes a quarter, so an upload has a limit of its own.

use std::convert::Infallible;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::response::Response;
use bytes::Bytes;
use consulate_core::browser::{is_from_own_page, same};
use futures_util::stream;
use http::{HeaderMap, header};
use multer::Multipart;

use crate::State;
use crate::page::{self, Refusal};
use crate::session::{FORM_TOKEN, Fields, Signed};

/// Largest body of an upload, bytes.
pub(crate) const LIMIT: usize = 4 * 1024 * 1024;
/// Largest field that one page hands to the next one's upload, bytes: the rest is for the other fields, or, in the answer, for
/// the page around it.
pub(crate) const CARRIED_LIMIT: usize = LIMIT - 512 * 1024;
/// Name of the field that holds files.
pub(crate) const FILE: &str = "bundle";
/// More fields are no form of ours.
const MOST_FIELDS: usize = 500;

/// A file, as the browser names it.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

/// A form that a signed-in administrator posted from our own page, with the files they chose.
pub(crate) struct Upload {
    pub(crate) signed: Signed,
    pub(crate) fields: Fields,
    /// Those that were chosen.
    pub(crate) files: Vec<File>,
}

impl FromRequest<State> for Upload {
    type Rejection = Response;

    async fn from_request(request: Request, state: &State) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let boundary = boundary(&parts.headers);
        let boundary = boundary.filter(|_| is_from_own_page(&parts.headers, &state.base_url));
        let boundary = boundary.ok_or_else(|| page::refusal(Refusal::FOREIGN_FORM))?;
        let signed = Signed::from_request_parts(&mut parts, state).await?;
        let body = axum::body::to_bytes(body, LIMIT).await;
        let body = body.map_err(|_| page::refusal(Refusal::UPLOAD_TOO_LARGE))?;
        let read = read(body, boundary).await;
        let (fields, files) = read.ok_or_else(|| page::refusal(Refusal::FOREIGN_FORM))?;
        if !same(fields.text(FORM_TOKEN), &signed.form_token()) {
            return Err(page::refusal(Refusal::FOREIGN_FORM));
        }
        Ok(Self {
            signed,
            fields,
            files,
        })
    }
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(kind).ok()
}

/// The fields of a form, and its files; `None` where it cannot be read.
async fn read(body: Bytes, boundary: String) -> Option<(Fields, Vec<File>)> {
    let whole = stream::iter([Ok::<_, Infallible>(body)]);
    let mut form = Multipart::new(whole, boundary);
    let (mut fields, mut files) = (Vec::new(), Vec::new());
    while let Some(field) = form.next_field().await.ok()? {
        let name = field.name()?.to_owned();
        if name == FILE {
            let name = field.file_name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.ok()?;
            // A browser sends an empty part where nothing was chosen.
            if !bytes.is_empty() {
                files.push(File { name, bytes });
            }
            continue;
        }
        let bytes = field.bytes().await.ok()?;
        fields.push((name, String::from_utf8(bytes.to_vec()).ok()?));
        if fields.len() + files.len() > MOST_FIELDS {
            return None;
        }
    }
    Some((Fields::of(fields), files))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parsed(body: &'static str) -> Option<(Fields, Vec<File>)> {
        read(Bytes::from_static(body.as_bytes()), "b".to_owned()).await
    }

    #[tokio::test]
    async fn fields_are_told_from_files() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"widget\"\r\n\r\ncalendar\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"bundle\"; filename=\"a.zip\"\r\nContent-Type: application/zip\r\n\r\nPK\r\n--b--\r\n";
        let (fields, files) = parsed(body).await.unwrap();
        assert_eq!(fields.text("widget"), "calendar");
        let files: Vec<_> = files
            .iter()
            .map(|file| (file.name.as_str(), &*file.bytes))
            .collect();
        assert_eq!(files, [("a.zip", &b"PK"[..])]);
    }

    #[tokio::test]
    async fn an_empty_part_is_no_file_and_a_cut_body_no_form() {
        let empty = "--b\r\nContent-Disposition: form-data; name=\"bundle\"; filename=\"\"\r\n\r\n\r\n--b--\r\n";
        assert!(parsed(empty).await.unwrap().1.is_empty());
        for cut in [
            "",
            "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nhalf",
        ] {
            assert!(parsed(cut).await.is_none(), "{cut}");
        }
    }
}
