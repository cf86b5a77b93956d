//! The crate `cedar-policy`: a permit, and a forbid for each rule.

use cedar_policy::{
    Authorizer, Context, Entities, EntityUid, PolicySet, Request, Response, RestrictedExpression,
};

use crate::Peer;
use crate::rules::{Call, rules};

pub struct Cedar {
    authorizer: Authorizer,
    entities: Entities,
    policies: PolicySet,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    names: Vec<String>,
}

impl Cedar {
    pub fn new(many: usize) -> Self {
        let rules = rules(many, "context.", "&&");
        let mut text = "permit (principal, action, resource);".to_owned();
        for (_, test) in &rules {
            text += &format!("forbid (principal, action, resource) when {{ {test} }};\n");
        }
        let uid = |text: &str| text.parse::<EntityUid>().expect("an entity");
        Self {
            authorizer: Authorizer::new(),
            entities: Entities::empty(),
            policies: text.parse().expect("Cedar's policies"),
            principal: uid("User::\"u\""),
            action: uid("Action::\"refund\""),
            resource: uid("Order::\"o\""),
            names: rules.into_iter().map(|(name, _)| name).collect(),
        }
    }
}

impl Peer for Cedar {
    type Answer = Response;

    fn ask(&mut self, call: &Call) -> Response {
        let context = Context::from_pairs([
            ("flagged".to_owned(), RestrictedExpression::new_bool(call.flagged)),
            ("risk".to_owned(), RestrictedExpression::new_long(call.risk)),
            ("age".to_owned(), RestrictedExpression::new_long(call.age)),
            ("amount".to_owned(), RestrictedExpression::new_long(call.amount)),
            ("tier".to_owned(), RestrictedExpression::new_string(call.tier.to_owned())),
            ("region".to_owned(), RestrictedExpression::new_string(call.region.clone())),
        ]);
        let (who, act, what) = (self.principal.clone(), self.action.clone(), self.resource.clone());
        let request = Request::new(who, act, what, context.expect("no name twice"), None);
        self.authorizer.is_authorized(&request.expect("no schema"), &self.policies, &self.entities)
    }

    fn read(&self, response: &Response) -> String {
        // Policies are numbered in the order of their text; the first one permits.
        let numbers =
            response.diagnostics().reason().filter_map(|id| id.to_string()[6..].parse::<usize>().ok());
        let first = numbers.filter(|number| *number > 0).min();
        first.map_or_else(String::new, |number| self.names[number - 1].clone())
    }
}
