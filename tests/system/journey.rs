//! The whole path, once: what every other test takes for granted.

use ibyok_tests::{Oracle, Request, ServerOptions};

use crate::home_with_vault;

#[test]
fn a_value_goes_in_by_one_program_and_comes_out_by_the_others() {
    let home = home_with_vault();
    home.set("prod/openai", "sk-journey");
    assert_eq!(home.get("prod/openai"), b"sk-journey");
    let token = home.token(&["app", "--env", "prod"]);

    let mut oracle = Oracle::new();
    for options in [ServerOptions::default(), ServerOptions::default().own_program()] {
        let server = home.serve_with(options);
        let answer = server.retrieve(&token, "prod/openai").is(200);
        oracle.answered(&answer);
        assert_eq!(answer.json()["value"], "sk-journey");
        let answer = server
            .send(&Request::get("/external/keys/openai/value").bearer(&token))
            .is(200);
        oracle.answered(&answer);
        assert_eq!(answer.json()["value"], "sk-journey");
        server.retrieve(&token, "dev/openai").is_problem(403, "denied");
        assert!(server.stop().success());
    }
    oracle.acknowledge("prod/openai", "sk-journey");
    oracle.check(&home);
    assert_eq!(oracle.values(), 4);
}
