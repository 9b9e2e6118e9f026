//! `chain`: the tree from the origin down.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::args::Chain;
use super::drawing::{self, Canvas};
use super::exit::Outcome;
use super::ui::Ui;
use super::{destination, evidence, json, source, words};
use crate::answers::chain::{self, Node, Tree};
use crate::answers::session::{Evidence, VERSION};
use crate::answers::subject::{self, Breadth};
use crate::error::Result;
use crate::output::{self, Format};
use crate::table::build::{Cell, RowsBuilder};
use crate::table::{Column, Kind, TableDef, col};

/// Levels of the nested JSON: readers of JSON have limits too.
const DEEPEST_JSON: usize = 50;

/// By session id.
type AllEvidence = HashMap<String, Vec<Evidence>>;

const FLAT: TableDef = TableDef::answer("chain", FLAT_COLUMNS);
const FLAT_COLUMNS: &[Column] = &[
    col("tree", Kind::Int, ""),
    col("level", Kind::Int, ""),
    col("asked", Kind::Bool, ""),
    col("session_id", Kind::Text, ""),
    col("parent_session_id", Kind::Text, ""),
    col("hat", Kind::Text, ""),
    col("account_id", Kind::Text, ""),
    col("session_name", Kind::Text, ""),
    col("started_at", Kind::Time, ""),
    col("last_event_at", Kind::Time, ""),
    col("event_count", Kind::Int, ""),
    col("write_count", Kind::Int, ""),
    col("error_count", Kind::Int, ""),
    col("rule", Kind::Text, ""),
    col("strength", Kind::Text, ""),
    col("candidates", Kind::Int, ""),
    col("origin_type", Kind::Text, ""),
    col("origin", Kind::Text, ""),
    col("origin_account_id", Kind::Text, ""),
    col("chain", Kind::TextList, ""),
    col("shared", Kind::Bool, ""),
    col("calls_of_caller", Kind::Int, ""),
    col("calls_not_told_apart", Kind::Int, ""),
    col("contradictions", Kind::TextList, ""),
];

/// Runs the command.
pub async fn run(store: &Path, command: Chain, ui: &Ui) -> Result<Outcome> {
    let tables = source::open(store, &command.source, ui).await?;
    let limit = command.limit as usize;
    let mut asked = subject::find(&tables, &command.id, Breadth::All, limit + 1).await?;
    let more = asked.len() > limit;
    asked.truncate(limit);
    let answer = chain::chain(&tables, &asked, limit).await?;
    if answer.cut || more {
        ui.note(&format!(
            "warning: more sessions belong to it than {limit}; the nearest are shown, --limit N shows more"
        ));
    }
    let args = &command.output;
    let file = args.output.as_deref();
    match args.format {
        None => {
            let color = ui.color() && file.is_none();
            let canvas = Canvas { width: ui.width(), color, ids: command.ids };
            let mut text = drawing::draw(&answer, canvas);
            text.push_str(&evidence::text(&answer, ui.width(), color));
            destination::write_text(&text, file, ui)?;
        }
        Some(Format::Json) => {
            let trees: Vec<Value> =
                answer.trees.iter().map(|tree| tree_json(tree, &answer.evidence)).collect();
            let whole =
                json!({ "version": VERSION, "asked": asked, "cut": answer.cut, "trees": trees });
            destination::write_text(&json::text(&whole), file, ui)?;
        }
        Some(format) => {
            let mut rows = RowsBuilder::new(&FLAT);
            answer.trees.iter().enumerate().for_each(|(i, tree)| flatten(&mut rows, i, tree));
            let style = ui.style(None, file.is_some());
            let mut out = destination::open(Some(format), file, ui)?;
            output::write(format, &FLAT.schema(), [rows.finish()], &mut *out, &style)?;
        }
    }
    Ok(Outcome::Done)
}

/// One row a session; of one that stands there twice, one row a place.
fn flatten(rows: &mut RowsBuilder, number: usize, tree: &Tree) {
    let count = |n: u64| Cell::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let index = |n: usize| Cell::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let own = tree.own.iter().map(|own| (own, None, 0, tree.own_asked));
    let nodes = tree.nodes.iter().map(|node| (&node.session, Some(node), node.level, node.asked));
    for (session, node, level, asked) in own.chain(nodes) {
        let above = match node.map(|node| node.parent) {
            Some(Some(parent)) => Some(tree.nodes[parent].session.session_id.clone()),
            Some(None) => tree.own.as_ref().map(|own| own.session_id.clone()),
            None => None,
        };
        let share = node.and_then(|node| node.share);
        let hop = node.map(|node| &node.hop).filter(|hop| !hop.rule.is_empty());
        rows.push(vec![
            index(number + 1),
            index(level),
            asked.into(),
            session.session_id.as_str().into(),
            above.into(),
            words::hat(session).into(),
            session.account_id.clone().into(),
            session.session_name.clone().into(),
            session.started_at.map_or(Cell::Null, Cell::Time),
            session.last_event_at.map_or(Cell::Null, Cell::Time),
            count(session.event_count),
            count(session.write_count),
            count(session.error_count),
            hop.map(|hop| hop.rule.clone()).into(),
            hop.map(|hop| hop.strength.clone()).into(),
            hop.map_or(Cell::Null, |hop| count(hop.candidates)),
            tree.origin.origin_type.clone().into(),
            tree.origin.origin.clone().into(),
            tree.origin.origin_account_id.clone().into(),
            session.chain.clone().into(),
            node.is_some_and(|node| node.shared).into(),
            share.map_or(Cell::Null, |share| count(share.calls)),
            share.map_or(Cell::Null, |share| count(share.not_told_apart)),
            session.contradictions.clone().into(),
        ]);
    }
}

fn tree_json(tree: &Tree, evidence: &AllEvidence) -> Value {
    // Children come after their parents, so from the end every node finds its children done.
    let mut children: Vec<Vec<Value>> = vec![Vec::new(); tree.nodes.len()];
    let mut left_out = vec![0_u64; tree.nodes.len()];
    let mut tops = Vec::new();
    for (i, node) in tree.nodes.iter().enumerate().rev() {
        let mut below = std::mem::take(&mut children[i]);
        below.reverse();
        if node.level > DEEPEST_JSON {
            if let Some(parent) = node.parent {
                left_out[parent] += left_out[i] + 1;
            }
            continue;
        }
        let shown = evidence.get(&node.session.session_id);
        let value = node_json(node, shown.map_or(&[], Vec::as_slice), below, left_out[i]);
        match node.parent {
            Some(parent) => children[parent].push(value),
            None => tops.push(value),
        }
    }
    tops.reverse();
    let origin = &tree.origin;
    json!({
        "origin_type": origin.origin_type,
        "origin": origin.origin,
        "origin_account_id": origin.origin_account_id,
        "origin_detail": origin.origin_detail,
        "unresolved_reason": origin.unresolved_reason,
        "own_session": tree.own,
        "own_session_asked": tree.own_asked,
        "sessions": tops,
    })
}

fn node_json(node: &Node, evidence: &[Evidence], children: Vec<Value>, left_out: u64) -> Value {
    let mut object = match serde_json::to_value(&node.session) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    };
    object.insert("asked".to_owned(), node.asked.into());
    object.insert(
        "hop".to_owned(),
        json!({
            "rule": node.hop.rule,
            "strength": node.hop.strength,
            "candidates": node.hop.candidates,
        }),
    );
    object.insert("evidence".to_owned(), json!(evidence));
    object.insert("shared".to_owned(), node.shared.into());
    object.insert("share".to_owned(), json!(node.share));
    object.insert("seen_above".to_owned(), node.seen_above.into());
    object.insert("children".to_owned(), children.into());
    if left_out > 0 {
        object.insert("sessions_left_out_below".to_owned(), left_out.into());
    }
    Value::Object(object)
}
