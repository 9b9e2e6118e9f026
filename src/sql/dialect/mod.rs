//! The SQL that people already have: queries published for Athena's table of CloudTrail logs and for
//! CloudTrail Lake are read as Trino reads them and planned by DataFusion.
//!
//! Three steps: words of the text that no grammar knows (names of event data stores) are replaced in
//! place, so that columns and lines of errors stay right; the text is parsed; the tree is rewritten
//! where Trino and DataFusion differ. Values are never pasted into text.

mod fields;
mod grammar;
mod names;
mod rewrite;
mod unnest;
mod words;

use std::collections::HashMap;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as Ast;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::Params;
use crate::error::{Error, Result};

pub(super) use fields::MembersInAnyCase;
pub(super) use grammar::Grammar;

/// How a statement is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// DataFusion's SQL and what Athena and CloudTrail Lake add to it.
    #[default]
    Aws,
    /// DataFusion's SQL alone.
    Plain,
}

/// A statement that was read.
pub(super) struct Parsed {
    pub statement: Statement,
    /// Column names as the user or the table spells them, by their small letters.
    pub spelled: HashMap<String, String>,
}

/// Reads one statement.
///
/// # Errors
/// [`Error::Usage`] where it is not one, the parser's otherwise.
pub(super) fn parse(sql: &str, dialect: Dialect, params: &Params) -> Result<Parsed> {
    match dialect {
        Dialect::Plain => {
            let mut statement = one(sql, &GenericDialect {})?;
            if let Some(ast) = tree(&mut statement) {
                names::bind_table_functions(ast, params);
            }
            Ok(Parsed { statement, spelled: HashMap::new() })
        }
        Dialect::Aws => {
            let words::Text { sql, mut spelled } = words::prepared(sql);
            let mut statement = one(&sql, &Grammar)?;
            if let Some(ast) = tree(&mut statement) {
                names::bind_table_functions(ast, params);
                let lake = names::known_tables(ast);
                unnest::apply(ast)?;
                rewrite::apply(ast);
                if lake {
                    let names = super::lake::EVENT_DATA_STORE_NAMES.iter();
                    let names = names.map(|name| (name.to_lowercase(), (*name).to_owned()));
                    names.for_each(|(small, name)| _ = spelled.entry(small).or_insert(name));
                }
            }
            Ok(Parsed { statement, spelled })
        }
    }
}

fn one(sql: &str, dialect: &dyn datafusion::sql::sqlparser::dialect::Dialect) -> Result<Statement> {
    let parser = DFParserBuilder::new(sql).with_dialect(dialect);
    let mut statements = parser.with_recursion_limit(DEEPEST).build()?.parse_statements()?;
    match (statements.pop_front(), statements.len()) {
        (Some(statement), 0) => Ok(statement),
        (None, _) => Err(Error::usage("there is no statement")),
        (_, more) => Err(Error::usage_hint(
            format!("these are {} statements", more + 1),
            "give one; several are for roletrail shell",
        )),
    }
}

/// Levels of nesting that the parser follows.
const DEEPEST: usize = 100;

/// The tree of a statement, or of the one that is explained.
fn tree(statement: &mut Statement) -> Option<&mut Ast> {
    match statement {
        Statement::Statement(ast) => Some(ast),
        Statement::Explain(explained) => tree(&mut explained.statement),
        _ => None,
    }
}

/// The parameters that a statement names, `$` and all.
pub(super) fn parameters(sql: &str) -> Vec<String> {
    let Ok(tokens) = Tokenizer::new(&Grammar, sql).tokenize() else { return Vec::new() };
    let names = tokens.into_iter().filter_map(|token| match token {
        Token::Placeholder(name) if name.starts_with('$') => Some(name),
        _ => None,
    });
    names.collect()
}
