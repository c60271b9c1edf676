//! Answers the requests of the control socket.

use crate::control::controller::Controller;
use crate::control::protocol::{Request, Response};

pub(super) async fn answer(controller: &Controller, request: Request) -> Response {
    match request {
        Request::Certificates => Response::Certificates(controller.certificates()),
        Request::Metrics => Response::Metrics {
            text: controller.metrics(),
        },
        Request::PluginList => Response::Plugins(controller.plugins().listing_now()),
        Request::PluginReload => {
            let inventory = controller.reload_plugins().await;
            Response::Plugins(inventory.listing_now())
        }
    }
}
