//! Visitors who log in and out.

use serde_json::Value;

use crate::app::App;
use crate::http::Client;

#[test]
fn a_visitor_logs_in_and_fills_a_basket() {
    let app = App::start(&[]);
    let mut ada = app.client();
    assert_eq!(ada.get("/products/kites").header("set-cookie"), None, "to look begins no session");
    let answer = ada.post("/login", "user=Ada+%3CL%3E");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    ada.post("/basket", "");
    ada.post("/basket", "");
    let page = ada.get("/products/kites").body;
    assert!(page.contains("Welcome, Ada &lt;L&gt;."), "{page}");
    assert!(page.contains("<strong id=\"basket\">2</strong>"), "{page}");
    assert!(!ada.get("/products/kites").body.contains("Welcome"), "it was said once");
    assert!(!app.get("/products/kites").body.contains("Ada"), "the cached part is nobody's own");

    let mut thief = ada.clone();
    ada.post("/logout", "");
    assert_eq!([user(&mut ada), user(&mut thief)], [Value::Null, Value::Null]);
    assert_eq!(app.client().post("/login", "user=+").status, 400);
    assert_eq!(app.client().post("/login", &format!("user={}", "x".repeat(41))).status, 400);
}

#[test]
fn logging_out_everywhere_ends_every_session_of_that_visitor() {
    let app = App::start(&[]);
    let [mut phone, mut desk, mut other] = [(); 3].map(|()| app.client());
    for (client, name) in [(&mut phone, "Ada"), (&mut desk, "Ada"), (&mut other, "Grace")] {
        client.post("/login", &format!("user={name}"));
    }
    desk.post("/logout-everywhere", "");
    assert_eq!([user(&mut phone), user(&mut desk)], [Value::Null, Value::Null]);
    assert_eq!(user(&mut other), "Grace");
    phone.post("/login", "user=Ada");
    assert_eq!(user(&mut phone), "Ada", "she may come back");
}

#[test]
fn a_form_leads_back_to_its_page_and_to_no_other_server() {
    let app = App::start(&[]);
    let back_from = |referer: &str| {
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("referer", referer)];
        let answer = app.client().send("POST", "/login", &headers, "user=Ada");
        answer.header("location").unwrap().to_owned()
    };
    let own = format!("http://{}", app.address);
    assert_eq!(back_from(&format!("{own}/products/kites")), "/products/kites");
    for other in ["http://evil.example/x", &format!("{own}.evil.example/"), &format!("{own}//evil")]
    {
        assert_eq!(back_from(other), "/", "{other}");
    }
}

#[test]
fn forms_of_other_sites_are_not_taken() {
    let app = App::start(&[]);
    for path in ["/login", "/dashboard/expire-all"] {
        for (site, taken) in [("cross-site", false), ("same-site", false), ("same-origin", true)] {
            let headers =
                [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", site)];
            let answer = app.client().send("POST", path, &headers, "user=Ada");
            assert_eq!(answer.status == 403, !taken, "{path} from {site}: {answer:?}");
        }
    }
}

fn user(client: &mut Client) -> Value {
    serde_json::from_str::<Value>(&client.get("/account").body).unwrap()["user"].take()
}
