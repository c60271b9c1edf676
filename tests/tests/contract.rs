//! The table of events in `postgate-contract` agrees with the contract, the SDK and the guide: the
//! same events in the same order, with the same answers.

use std::collections::BTreeMap;

use postgate_contract::{AnswerKind, Event};
use postgate_tests::document::read;
use postgate_tests::gateway::repository;
use syn::{GenericArgument, Item, PathArguments, PathSegment, ReturnType, TraitItem, TraitItemFn};
use wit_parser::{Function, Interface, Resolve, Type, TypeDefKind, WorldItem};

/// The interfaces that are called when a plugin is loaded. They are no events.
const LIFECYCLE: [&str; 2] = ["init", "self-test"];

/// The names of all interfaces that a plugin can export, in the order of the contract.
fn exports() -> impl Iterator<Item = &'static str> {
    LIFECYCLE.into_iter().chain(Event::NAMES)
}

/// The name of the type of a verdict in the contract, or `None` if the answer has no verdict.
const fn verdict_type(answer: AnswerKind) -> Option<&'static str> {
    match answer {
        AnswerKind::Identity => Some("auth-verdict"),
        AnswerKind::Keys | AnswerKind::Notice => None,
        AnswerKind::Message => Some("message-verdict"),
        AnswerKind::Recipient => Some("rcpt-verdict"),
        AnswerKind::Reply => Some("query-verdict"),
        AnswerKind::Verdict => Some("verdict"),
    }
}

/// The verdicts of an answer, in the order of the contract.
const fn verdicts(answer: AnswerKind) -> &'static [&'static str] {
    match answer {
        AnswerKind::Identity | AnswerKind::Verdict => &["next", "accept", "refuse", "disconnect"],
        AnswerKind::Keys | AnswerKind::Notice => &[],
        AnswerKind::Message => &[
            "next",
            "accept",
            "refuse",
            "disconnect",
            "discard",
            "quarantine",
        ],
        AnswerKind::Recipient => &["next", "accept", "refuse", "disconnect", "defer"],
        AnswerKind::Reply => &["next", "reply", "disconnect"],
    }
}

/// `self-test` as `SelfTest`.
fn pascal_case(name: &str) -> String {
    let capitalized = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(capitalized).collect()
}

mod wit {
    use super::*;

    fn contract() -> Resolve {
        let mut resolve = Resolve::default();
        let directory = repository().join("wit");
        resolve.push_dir(directory).expect("the contract is valid");
        resolve
    }

    fn interface<'a>(contract: &'a Resolve, name: &str) -> &'a Interface {
        let has_name = |it: &&Interface| it.name.as_deref() == Some(name);
        let mut interfaces = contract.interfaces.iter().map(|(_, it)| it);
        interfaces
            .find(has_name)
            .unwrap_or_else(|| panic!("there is no interface {name}"))
    }

    #[test]
    fn the_world_exports_all_events_in_order() {
        let contract = contract();
        let mut worlds = contract.worlds.iter().map(|(_, world)| world);
        let world = worlds.find(|it| it.name == "all-events");
        let world = world.expect("the contract has a world of all events");
        let exported = world.exports.values().map(|item| match item {
            WorldItem::Interface { id, .. } => contract.interfaces[*id].name.clone(),
            _ => None,
        });
        let expected = exports().map(|name| Some(format!("on-{name}")));
        assert_eq!(exported.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn each_event_has_an_interface_with_its_answer() {
        let contract = contract();
        for event in Event::ALL {
            let name = format!("on-{event}");
            let functions = &interface(&contract, &name).functions;
            let names: Vec<_> = functions.keys().collect();
            assert_eq!(names, [&name]);
            let answer = answer(&contract, &functions[0]);
            let expected = match event.answer() {
                AnswerKind::Keys => "option".to_owned(),
                AnswerKind::Notice => String::new(),
                kind => verdict_type(kind).unwrap_or_default().to_owned(),
            };
            assert_eq!(answer, expected, "{event}");
        }
    }

    /// Returns the name of the type of the verdict that a function returns, `option` if it returns
    /// that, or an empty text if it returns nothing.
    fn answer(contract: &Resolve, function: &Function) -> String {
        let Some(Type::Id(id)) = function.result else {
            assert_eq!(function.result, None);
            return String::new();
        };
        match &contract.types[id].kind {
            TypeDefKind::Option(_) => "option".to_owned(),
            TypeDefKind::Record(record) => match record.fields[0].ty {
                Type::Id(verdict) => contract.types[verdict].name.clone().unwrap_or_default(),
                other => panic!("{} has a verdict {other:?}", function.name),
            },
            other => panic!("{} returns {other:?}", function.name),
        }
    }

    #[test]
    fn each_answer_has_its_verdicts() {
        let contract = contract();
        for event in Event::ALL {
            let Some(name) = verdict_type(event.answer()) else {
                continue;
            };
            let types = interface(&contract, "types");
            let TypeDefKind::Variant(variant) = &contract.types[types.types[name]].kind else {
                panic!("{name} is no variant");
            };
            let cases: Vec<_> = variant.cases.iter().map(|case| &case.name).collect();
            assert_eq!(cases, verdicts(event.answer()), "{event}");
        }
    }
}

mod sdk {
    use super::*;

    fn source(file: &str) -> String {
        read(&repository().join("plugins/sdk/src").join(file))
    }

    fn items(file: &str) -> Vec<Item> {
        let parsed = syn::parse_file(&source(file));
        parsed
            .unwrap_or_else(|error| panic!("{file}: {error}"))
            .items
    }

    /// Returns the traits of events, each with its methods.
    fn traits() -> Vec<(String, Vec<TraitItemFn>)> {
        let items = items("event.rs").into_iter();
        let traits = items.filter_map(|item| match item {
            Item::Trait(item) if item.ident != "Plugin" => Some(item),
            _ => None,
        });
        let methods = |items: Vec<TraitItem>| {
            let methods = items.into_iter().filter_map(|item| match item {
                TraitItem::Fn(method) => Some(method),
                _ => None,
            });
            methods.collect()
        };
        traits
            .map(|it| (it.ident.to_string(), methods(it.items)))
            .collect()
    }

    /// `Plugin::new` is called at `on-init`; all others have a trait.
    fn names() -> impl Iterator<Item = &'static str> {
        exports().filter(|name| *name != "init")
    }

    #[test]
    fn each_event_has_a_trait_in_order() {
        let traits = traits().into_iter();
        let found = traits.map(|(name, methods)| {
            let methods = methods.iter().map(|it| it.sig.ident.to_string());
            (name, methods.collect())
        });
        let expected = names().map(|name| {
            let method = format!("on_{}", name.replace('-', "_"));
            (format!("On{}", pascal_case(name)), vec![method])
        });
        let found: Vec<(_, Vec<_>)> = found.collect();
        assert_eq!(found, expected.collect::<Vec<_>>());
    }

    #[test]
    fn each_trait_has_the_answer_of_its_event() {
        let verdicts = verdicts_of_answers();
        let methods: BTreeMap<_, _> = traits().into_iter().collect();
        for event in Event::ALL {
            let method = &methods[&format!("On{}", pascal_case(event.name()))][0];
            let answer = match &method.sig.output {
                ReturnType::Default => String::new(),
                ReturnType::Type(_, ty) => last_segment(ty).ident.to_string(),
            };
            let found = verdicts.get(&answer).cloned().unwrap_or(answer);
            let expected = match event.answer() {
                AnswerKind::Keys => "Option".to_owned(),
                kind => verdict_type(kind).map_or_else(String::new, pascal_case),
            };
            assert_eq!(found, expected, "{event}");
        }
    }

    /// Returns the type of the verdict of each alias of `Answer`.
    fn verdicts_of_answers() -> BTreeMap<String, String> {
        let items = items("answer/generic.rs").into_iter();
        let aliases = items.filter_map(|item| match item {
            Item::Type(alias) => Some((alias.ident.to_string(), *alias.ty)),
            _ => None,
        });
        let verdict = |answer: &syn::Type| match &last_segment(answer).arguments {
            PathArguments::AngleBracketed(generic) => match &generic.args[0] {
                GenericArgument::Type(verdict) => last_segment(verdict).ident.to_string(),
                _ => String::new(),
            },
            _ => String::new(),
        };
        aliases.map(|(name, ty)| (name, verdict(&ty))).collect()
    }

    fn last_segment(ty: &syn::Type) -> &PathSegment {
        let syn::Type::Path(ty) = ty else {
            panic!("an answer is a named type");
        };
        ty.path.segments.last().expect("a path has a name")
    }

    #[test]
    fn bindings_are_generated_for_each_event_in_order() {
        let items = items("bindings.rs").into_iter();
        let modules = items.filter_map(|item| match item {
            Item::Macro(call) if call.mac.path.is_ident("event") => {
                let first = call.mac.tokens.into_iter().next();
                first.map(|module| module.to_string())
            }
            _ => None,
        });
        let expected = exports().map(|name| name.replace('-', "_"));
        assert_eq!(modules.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn each_event_can_be_exported() {
        let source = source("export.rs");
        let arms = source.split("($plugin:ident: On").skip(1);
        let found = arms.filter_map(|arm| arm.split_once(')'));
        let found: Vec<_> = found.map(|(name, _)| name.to_owned()).collect();
        assert_eq!(found, exports().map(pascal_case).collect::<Vec<_>>());
    }

    #[test]
    fn the_prelude_has_all_traits() {
        let source = source("lib.rs");
        let (_, prelude) = source.split_once("pub mod prelude {").expect("a prelude");
        let (prelude, _) = prelude.split_once("};").expect("the prelude is a list");
        let words = prelude.split(|c: char| !c.is_ascii_alphanumeric());
        let traits = words.filter_map(|word| word.strip_prefix("On"));
        let mut expected: Vec<_> = names().map(pascal_case).collect();
        expected.sort_unstable();
        assert_eq!(traits.collect::<Vec<_>>(), expected);
    }
}

mod guide {
    use super::*;

    fn page(name: &str) -> String {
        read(&repository().join("docs/plugins").join(name))
    }

    /// Returns the sections of `events.md`, each with its heading.
    fn sections(page: &str) -> Vec<(&str, &str)> {
        let sections = page.split("\n### ").skip(1);
        let sections = sections.filter_map(|section| section.split_once('\n'));
        sections
            .map(|(heading, text)| (heading, text.split("\n## ").next().unwrap_or_default()))
            .collect()
    }

    /// Returns the names in backticks.
    fn code(text: &str) -> Vec<&str> {
        text.split('`').skip(1).step_by(2).collect()
    }

    /// Returns the first sentence behind `Answers:`, or `None` if the section has none.
    fn answers(section: &str) -> Option<&str> {
        let (_, text) = section.split_once("- **Answers:** ")?;
        text.split(['.', ';', ':']).next()
    }

    #[test]
    fn each_event_has_a_section_in_order() {
        let page = page("events.md");
        let headings = sections(&page).into_iter().map(|(heading, _)| heading);
        let expected = exports().map(|name| format!("on-{name}"));
        assert_eq!(headings.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn sections_name_the_verdicts_of_their_events() {
        let page = page("events.md");
        for (heading, section) in sections(&page) {
            let event = heading.strip_prefix("on-").and_then(Event::named);
            let (Some(event), Some(answers)) = (event, answers(section)) else {
                continue;
            };
            match event.answer() {
                AnswerKind::Notice => assert_eq!(answers, "nothing", "{event}"),
                // Their chapter has the verdicts.
                AnswerKind::Reply => {}
                kind => assert_eq!(code(answers), verdicts(kind), "{event}"),
            }
        }
    }

    #[test]
    fn sections_without_answers_are_about_questions() {
        let page = page("events.md");
        for (heading, section) in sections(&page) {
            let event = heading.strip_prefix("on-").and_then(Event::named);
            if let (Some(event), None) = (event, answers(section)) {
                assert_eq!(event.answer(), AnswerKind::Reply, "{event}");
            }
        }
    }

    #[test]
    fn the_chapter_on_questions_names_them_and_their_verdicts() {
        let page = page("events.md");
        let (_, chapter) = page.split_once("\n## Questions\n").expect("a chapter");
        let introduction = chapter.split("\n###").next().unwrap_or_default();
        let questions = Event::ALL.into_iter();
        let questions = questions.filter(|event| event.answer() == AnswerKind::Reply);
        let names = questions.map(|event| format!("on-{event}"));
        let mut found = code(introduction);
        let mut expected: Vec<_> = names.collect();
        expected.extend(verdicts(AnswerKind::Reply).iter().map(ToString::to_string));
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    /// The table in `answers.md` has the verdicts that not all events have.
    #[test]
    fn special_verdicts_are_at_their_events() {
        let page = page("answers.md");
        let (_, table) = page.split_once("| verdict | event | |").expect("a table");
        let rows = table.lines().skip(2).take_while(|row| row.starts_with('|'));
        let mut verdicts_in_table = Vec::new();
        for row in rows {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let verdict = code(cells[1])[0];
            let has_verdict = |event: &Event| match verdict {
                "accept" => event.answer() == AnswerKind::Identity,
                verdict => verdicts(event.answer()).contains(&verdict),
            };
            let events = Event::ALL.into_iter().filter(has_verdict);
            let events: Vec<_> = events.map(Event::name).collect();
            assert_eq!(code(cells[2]), events, "{verdict}");
            verdicts_in_table.push(verdict);
        }
        let expected = ["defer", "discard", "quarantine", "reply", "accept"];
        assert_eq!(verdicts_in_table, expected);
    }
}
