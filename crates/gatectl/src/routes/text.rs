//! The list in columns, for a terminal.

use core::fmt::Write as _;

use anstyle::Style;
use gate::routes::Access;

use super::row::{Mark, Row, of_hosts, word};
use crate::source::visible;
use crate::style::{FAINT, GOOD, HELP, LABEL, PROBLEM, WARNING};

/// What is between two columns.
const GAP: usize = 2;

/// How far the second line of a path is set in.
const INDENT: usize = 2;

/// How narrow the column of the paths may become.
const NARROWEST: usize = 20;

/// A text in parts, each with a style of its own.
type Cell = Vec<(Style, String)>;

/// In columns; where the terminal is too narrow for all of them, with two lines or more for each row.
pub(super) fn written(rows: &[&Row], hosts: &[&str], width: Option<usize>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let hosts = of_hosts(hosts, visible).map(|line| format!("{FAINT}{line}{FAINT:#}\n\n"));
    hosts.unwrap_or_default() + &table(rows, width)
}

fn table(rows: &[&Row], width: Option<usize>) -> String {
    let head =
        |names: &[&str]| names.iter().map(|name| vec![(LABEL, (*name).to_owned())]).collect::<Vec<_>>();
    let wide = rows.iter().map(|row| {
        let [access, methods, path] = first(row);
        let sent = match (row.rewritten(), &row.sent) {
            (Some(path), _) => path_cell(path),
            (None, Some(_)) => vec![(FAINT, "as is".to_owned())],
            (None, None) => Cell::new(),
        };
        vec![access, methods, path, upstream(row), sent, marks(row)]
    });
    let wide: Vec<_> =
        [head(&["ACCESS", "METHODS", "PATH", "UPSTREAM", "SENT AS"])].into_iter().chain(wide).collect();
    let widths = widths(&wide);
    let all = widths.iter().fold(0, |all: usize, width| all.saturating_add(*width).saturating_add(GAP));
    match width {
        Some(width) if all.saturating_sub(GAP) > width => {
            narrow(rows, head(&["ACCESS", "METHODS", "PATH"]), width)
        }
        _ => wide.iter().map(|row| line(row, &widths)).collect(),
    }
}

fn narrow(rows: &[&Row], head: Vec<Cell>, width: usize) -> String {
    let firsts: Vec<_> = [head].into_iter().chain(rows.iter().map(|row| Vec::from(first(row)))).collect();
    let mut widths = widths(&firsts);
    let before = widths
        .iter()
        .take(2)
        .fold(0, |before: usize, width| before.saturating_add(*width).saturating_add(GAP));
    let room = width.saturating_sub(before).max(NARROWEST);
    if let Some(path) = widths.last_mut() {
        *path = (*path).min(room);
    }
    let mut out = String::new();
    for (row, cells) in [None].into_iter().chain(rows.iter().map(Some)).zip(&firsts) {
        let [access, methods, path] = cells.as_slice() else { continue };
        let mut lines = broken(path, room).into_iter();
        let first = lines.next().unwrap_or_default();
        out.push_str(&line(&[access.clone(), methods.clone(), first], &widths));
        let below = row.map(|row| broken(&rest(row), room.saturating_sub(INDENT))).unwrap_or_default();
        let below = below.into_iter().map(|mut cell| {
            cell.insert(0, (Style::new(), " ".repeat(INDENT)));
            cell
        });
        for cell in lines.chain(below) {
            out.push_str(&line(&[Cell::new(), Cell::new(), cell], &widths));
        }
    }
    out
}

fn first(row: &Row) -> [Cell; 3] {
    let access = match row.access {
        Access::Public => WARNING,
        Access::Token => GOOD,
        Access::Upstream => HELP,
    };
    let access = vec![(access, word(row.access).to_owned())];
    [access, vec![(Style::new(), row.shown_methods())], path_cell(&row.path)]
}

fn upstream(row: &Row) -> Cell {
    let style = if row.upstream.is_some() { Style::new() } else { FAINT };
    vec![(style, row.shown_upstream().to_owned())]
}

fn marks(row: &Row) -> Cell {
    let mut cell = Cell::new();
    for mark in row.marks() {
        let style = match mark {
            Mark::Internal => WARNING,
            Mark::Refused => PROBLEM,
            Mark::WebSocket | Mark::Open => HELP,
        };
        separate(&mut cell);
        cell.push((style, mark.word().to_owned()));
    }
    if let Some(except) = row.shown_except() {
        separate(&mut cell);
        cell.push((FAINT, except));
    }
    cell
}

fn separate(cell: &mut Cell) {
    if !cell.is_empty() {
        cell.push((Style::new(), ", ".to_owned()));
    }
}

/// What there is besides the path, in one cell.
fn rest(row: &Row) -> Cell {
    let mut cell = Cell::new();
    if row.upstream.is_some() {
        cell.push((FAINT, "to ".to_owned()));
    }
    cell.extend(upstream(row));
    if let Some(path) = row.rewritten() {
        cell.push((FAINT, " as ".to_owned()));
        cell.extend(path_cell(path));
    }
    let marks = marks(row);
    if !marks.is_empty() {
        separate(&mut cell);
        cell.extend(marks);
    }
    cell
}

/// A path, its parameters set apart.
fn path_cell(path: &str) -> Cell {
    let segments = path.split('/').skip(1);
    let style = |segment: &str| if segment.starts_with('{') { FAINT } else { Style::new() };
    segments.map(|segment| (style(segment), format!("/{segment}"))).collect()
}

/// Everything that is shown is ASCII: canonical paths, names of upstreams, and words of ours.
fn length(cell: &Cell) -> usize {
    cell.iter().map(|(_, text)| text.chars().count()).fold(0, usize::saturating_add)
}

/// How wide each column is.
fn widths(table: &[Vec<Cell>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in table {
        widths.resize(row.len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(length(cell));
        }
    }
    widths
}

fn line(cells: &[Cell], widths: &[usize]) -> String {
    let mut out = String::new();
    // What stands before the next part; at a line's end there is none.
    let mut before = 0_usize;
    for (cell, width) in cells.iter().zip(widths) {
        for (style, text) in cell {
            let _ = write!(out, "{}{style}{text}{style:#}", " ".repeat(core::mem::take(&mut before)));
        }
        before = before.saturating_add(width.saturating_sub(length(cell))).saturating_add(GAP);
    }
    // The last part may end in the space after a comma.
    format!("{}\n", out.trim_end())
}

/// A cell in lines of this width. It is broken before its parts and after spaces; what is still too long is cut.
fn broken(cell: &Cell, width: usize) -> Vec<Cell> {
    let mut lines = vec![Cell::new()];
    let mut room = width;
    let pieces = cell.iter().flat_map(|(style, text)| text.split_inclusive(' ').map(|piece| (*style, piece)));
    for (style, piece) in pieces {
        let mut rest = piece;
        if piece.trim_end().len() > room && room < width {
            lines.push(Cell::new());
            room = width;
        }
        loop {
            let (now, later) = rest.split_at_checked(room).unwrap_or((rest, ""));
            if let Some(line) = lines.last_mut() {
                match line.last_mut().filter(|(last, _)| *last == style) {
                    Some((_, text)) => text.push_str(now),
                    None => line.push((style, now.to_owned())),
                }
            }
            room = room.saturating_sub(now.len());
            rest = later.trim_start();
            if rest.is_empty() {
                break;
            }
            lines.push(Cell::new());
            room = width;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[&str], width: usize) -> Vec<String> {
        let cell: Cell = text.iter().map(|part| (Style::new(), (*part).to_owned())).collect();
        let line = |cell: &Cell| cell.iter().map(|(_, text)| text.as_str()).collect::<String>();
        broken(&cell, width).iter().map(|cell| line(cell).trim_end().to_owned()).collect()
    }

    #[test]
    fn cells_are_broken_where_people_would() {
        assert_eq!(shown(&["/v1", "/project", "/{p}"], 20), ["/v1/project/{p}"]);
        assert_eq!(shown(&["/v1", "/project", "/{p}"], 11), ["/v1/project", "/{p}"]);
        assert_eq!(shown(&["/v1", "/project", "/{p}"], 4), ["/v1", "/pro", "ject", "/{p}"]);
        assert_eq!(shown(&["GET HEAD PUT"], 8), ["GET HEAD", "PUT"]);
        assert_eq!(shown(&["GET HEAD PUT"], 3), ["GET", "HEA", "D", "PUT"]);
        assert_eq!(shown(&[], 5), [""]);
    }

    /// However narrow the terminal is, all paths are there, and no line is wider than it.
    #[test]
    fn the_list_fits_the_terminal() {
        let config = gate::config::Config::from_json(br#"{"policy": "strict"}"#).unwrap();
        let rows = super::super::row::all(&config);
        let rows: Vec<_> = rows.iter().collect();
        let whole = crate::style::plain(&table(&rows, None));
        assert_eq!(whole.lines().count(), rows.len() + 1);
        let squeezed = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        for width in [1000, 120, 80, 60] {
            let narrow = crate::style::plain(&table(&rows, Some(width)));
            let widest = narrow.lines().map(str::len).max().unwrap();
            assert!(widest <= width, "{widest} at {width}\n{narrow}");
            let all = squeezed(&narrow);
            for row in &rows {
                assert!(all.contains(&squeezed(&row.path)), "{} at {width}\n{narrow}", row.path);
                assert!(all.contains(&squeezed(row.sent.as_deref().unwrap_or_default())), "{narrow}");
            }
        }
        assert_eq!(crate::style::plain(&table(&rows, Some(1000))), whole);
    }
}
