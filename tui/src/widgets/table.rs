//! One table for every list: a cursor that stays on its row while rows come and go, marks, and an order.

use std::{cmp::Ordering, collections::HashSet, hash::Hash};

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::scroll::Scroll;
use crate::{keys::Action, screen::Context, text, theme::Look};

/// A row of a table.
pub trait Row {
    /// What tells it from the others.
    type Key: Clone + Eq + Hash;

    /// Its key.
    fn key(&self) -> Self::Key;
}

/// What a cell shows. The text is neutralised by the table.
pub type Cell = (String, Style);

/// A column of a table of `R`.
pub struct Column<R> {
    /// Its heading.
    pub title: &'static str,
    /// Its width; 0 takes what is left.
    pub width: u16,
    /// Left out first when there is no room: the larger, the sooner.
    pub rank: u8,
    /// Whether numbers stand to the right.
    pub right: bool,
    /// What it shows.
    pub cell: fn(&R, &Context<'_>) -> Cell,
    /// How it orders rows, when it does.
    pub order: Option<fn(&R, &R) -> Ordering>,
}

/// Rows with cursor, marks and order.
pub struct Table<R: Row> {
    columns: Vec<Column<R>>,
    rows: Vec<R>,
    scroll: Scroll,
    marks: HashSet<R::Key>,
    anchor: Option<R::Key>,
    /// The column that orders and whether it is reversed.
    order: Option<(usize, bool)>,
    /// Whether the table orders its rows itself, or only shows how the daemon did.
    orders: bool,
}

impl<R: Row> Table<R> {
    /// A table whose rows the daemon orders by `column`.
    pub fn ordered_by_daemon(columns: Vec<Column<R>>, column: usize, reversed: bool) -> Self {
        Self { order: Some((column, reversed)), orders: false, ..Self::new(columns) }
    }

    /// A table that orders its rows itself.
    pub fn new(columns: Vec<Column<R>>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            scroll: Scroll::default(),
            marks: HashSet::new(),
            anchor: None,
            order: None,
            orders: true,
        }
    }

    /// Every row, in order.
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// Changes rows in place; their keys must stay.
    pub fn rows_mut(&mut self) -> &mut [R] {
        &mut self.rows
    }

    /// Replaces the rows. The cursor stays on its row, or on its place when that is gone; marks of rows that are
    /// gone are forgotten.
    pub fn set_rows(&mut self, rows: Vec<R>) {
        let key = self.current().map(Row::key);
        self.rows = rows;
        self.sort();
        let keys: HashSet<R::Key> = self.rows.iter().map(Row::key).collect();
        self.marks.retain(|key| keys.contains(key));
        if let Some(key) = key {
            self.select(&key);
        }
        self.scroll.cursor = self.scroll.cursor.min(self.rows.len().saturating_sub(1));
    }

    /// Adds rows at the end, without those that are there already.
    pub fn append(&mut self, rows: Vec<R>) {
        let keys: HashSet<R::Key> = self.rows.iter().map(Row::key).collect();
        self.rows.extend(rows.into_iter().filter(|row| !keys.contains(&row.key())));
        self.sort();
    }

    fn sort(&mut self) {
        if let (true, Some((column, reversed))) = (self.orders, self.order)
            && let Some(order) = self.columns[column].order
        {
            self.rows.sort_by(|a, b| if reversed { order(b, a) } else { order(a, b) });
        }
    }

    /// The row under the cursor.
    pub fn current(&self) -> Option<&R> {
        self.rows.get(self.scroll.cursor)
    }

    /// Puts the cursor on the row with `key`; answers whether there is one.
    pub fn select(&mut self, key: &R::Key) -> bool {
        let place = self.rows.iter().position(|row| row.key() == *key);
        if let Some(place) = place {
            self.scroll.cursor = place;
        }
        place.is_some()
    }

    /// The place of the row under the cursor.
    pub const fn cursor(&self) -> usize {
        self.scroll.cursor
    }

    /// Rows behind the cursor.
    pub const fn remaining(&self) -> usize {
        self.rows.len().saturating_sub(self.scroll.cursor + 1)
    }

    /// The marked rows in order, or the one under the cursor when none is marked.
    pub fn chosen(&self) -> Vec<&R> {
        if self.marks.is_empty() {
            return self.current().into_iter().collect();
        }
        self.rows.iter().filter(|row| self.marks.contains(&row.key())).collect()
    }

    /// How many are marked.
    pub fn marked(&self) -> usize {
        self.marks.len()
    }

    /// Forgets every mark.
    pub fn unmark(&mut self) {
        self.marks.clear();
        self.anchor = None;
    }

    /// Whether the cursor has left the first row.
    pub const fn is_scrolled(&self) -> bool {
        self.scroll.cursor > 0
    }

    /// Marks every row.
    pub fn mark_all(&mut self) {
        self.marks = self.rows.iter().map(Row::key).collect();
    }

    /// The rows in the window, as last drawn.
    pub fn visible(&self) -> &[R] {
        let first = self.scroll.offset.min(self.rows.len());
        &self.rows[first..(first + self.scroll.height).min(self.rows.len())]
    }

    /// Moves, marks or orders; answers whether `action` is about that at all.
    pub fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Mark => {
                if let Some(key) = self.current().map(Row::key) {
                    if !self.marks.remove(&key) {
                        self.marks.insert(key.clone());
                    }
                    self.anchor = Some(key);
                    self.scroll.act(Action::Down, self.rows.len());
                }
            }
            Action::MarkRange => self.mark_range(),
            Action::MarkAll if self.marks.len() == self.rows.len() => self.unmark(),
            Action::MarkAll => self.mark_all(),
            Action::MarkInvert => {
                let all = self.rows.iter().map(Row::key);
                self.marks = all.filter(|key| !self.marks.contains(key)).collect();
            }
            Action::Order | Action::Reverse if self.orders => self.reorder(action == Action::Order),
            _ => return self.scroll.act(action, self.rows.len()),
        }
        true
    }

    /// Shows how the daemon orders now.
    pub const fn show_order(&mut self, column: usize, reversed: bool) {
        self.order = Some((column, reversed));
    }

    fn mark_range(&mut self) {
        let anchor = self.anchor.as_ref().and_then(|key| self.rows.iter().position(|row| row.key() == *key));
        let from = anchor.unwrap_or(self.scroll.cursor);
        let (low, high) = (from.min(self.scroll.cursor), from.max(self.scroll.cursor));
        for row in self.rows.iter().take(high + 1).skip(low) {
            self.marks.insert(row.key());
        }
        self.anchor = self.current().map(Row::key);
    }

    fn reorder(&mut self, next: bool) {
        let able: Vec<usize> = (0..self.columns.len()).filter(|c| self.columns[*c].order.is_some()).collect();
        let Some(first) = able.first().copied() else { return };
        self.order = Some(match self.order {
            Some((column, reversed)) if !next => (column, !reversed),
            Some((column, _)) => {
                let place = able.iter().position(|c| *c == column).map_or(0, |p| (p + 1) % able.len());
                (able[place], false)
            }
            None => (first, !next),
        });
        let key = self.current().map(Row::key);
        self.sort();
        if let Some(key) = key {
            self.select(&key);
        }
    }

    /// Draws heading and rows; `empty` is said when there is none.
    pub fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>, empty: &str) {
        if area.height == 0 {
            return;
        }
        let look = context.look;
        let widths = self.widths(area.width);
        self.draw_heading(buffer, area, look, &widths);
        self.scroll.settle(self.rows.len(), usize::from(area.height - 1));
        if self.rows.is_empty() && area.height > 1 {
            let columns = usize::from(area.width.saturating_sub(3));
            for (line, y) in text::wrap(empty, columns).iter().zip(area.y + 1..area.bottom()) {
                buffer.set_stringn(area.x + 2, y, line, columns, look.dim);
            }
        }
        let rows = self.rows.iter().enumerate().skip(self.scroll.offset);
        for ((place, row), y) in rows.zip(area.y + 1..area.bottom()) {
            let marked = self.marks.contains(&row.key());
            let under = place == self.scroll.cursor;
            let gutter = format!("{}{}", if under { ">" } else { " " }, if marked { "*" } else { " " });
            buffer.set_stringn(area.x, y, gutter, usize::from(area.width), look.key);
            let mut x = area.x + 2;
            for (column, width) in self.columns.iter().zip(&widths) {
                if *width > 0 {
                    let (shown, style) = (column.cell)(row, context);
                    put(buffer, (x, y), &text::neutral(&shown), *width, column.right, style);
                    x += width + 1;
                }
            }
            let line = Rect { y, height: 1, ..area };
            if marked {
                buffer.set_style(line, look.marked);
            }
            if under {
                buffer.set_style(line, look.cursor);
            }
        }
    }

    fn draw_heading(&self, buffer: &mut Buffer, area: Rect, look: &Look, widths: &[u16]) {
        let mut x = area.x + 2;
        for (place, (column, width)) in self.columns.iter().zip(widths).enumerate() {
            if *width == 0 {
                continue;
            }
            let arrow = match self.order {
                Some((ordered, reversed)) if ordered == place && look.ascii => {
                    if reversed {
                        " v"
                    } else {
                        " ^"
                    }
                }
                Some((ordered, reversed)) if ordered == place => {
                    if reversed {
                        " ↓"
                    } else {
                        " ↑"
                    }
                }
                _ => "",
            };
            put(buffer, (x, area.y), &format!("{}{arrow}", column.title), *width, column.right, look.title);
            x += width + 1;
        }
    }

    /// The width of each column in `total`; 0 for those left out.
    fn widths(&self, total: u16) -> Vec<u16> {
        let room = total.saturating_sub(2);
        let mut kept: Vec<bool> = vec![true; self.columns.len()];
        // A column that takes what is left needs some of it to make sense.
        let needed = |kept: &[bool]| -> u16 {
            let wide = self.columns.iter().zip(kept).filter(|(_, kept)| **kept);
            wide.map(|(column, _)| if column.width == 0 { 19 } else { column.width + 1 }).sum()
        };
        while needed(&kept) > room + 1 {
            let worst = (0..self.columns.len()).filter(|c| kept[*c]).max_by_key(|c| self.columns[*c].rank);
            match worst {
                Some(column) if kept.iter().filter(|kept| **kept).count() > 1 => kept[column] = false,
                _ => break,
            }
        }
        // A wide column that had to go may have left room for a narrow one that went before it.
        let gone = |kept: &[bool]| (0..self.columns.len()).filter(|c| !kept[*c]).collect::<Vec<_>>();
        let wide = gone(&kept).into_iter().filter(|c| self.columns[*c].width == 0);
        let rank = wide.map(|c| self.columns[c].rank).min().unwrap_or(u8::MAX);
        for column in gone(&kept).into_iter().filter(|c| self.columns[*c].rank > rank) {
            kept[column] = true;
            kept[column] = needed(&kept) <= room + 1;
        }
        let fixed: u16 = self
            .columns
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| **kept)
            .map(|(column, _)| column.width + 1)
            .sum();
        let flexible = self.columns.iter().zip(&kept).filter(|(c, kept)| **kept && c.width == 0).count();
        let share = (room + 1).saturating_sub(fixed) / u16::try_from(flexible.max(1)).unwrap_or(1);
        self.columns
            .iter()
            .zip(&kept)
            .map(|(column, kept)| match (kept, column.width) {
                (false, _) => 0,
                (true, 0) => share.max(1),
                (true, width) => width.min(room),
            })
            .collect()
    }
}

fn put(buffer: &mut Buffer, at: (u16, u16), shown: &str, width: u16, right: bool, style: Style) {
    let shown = text::fit(shown, usize::from(width));
    let used = u16::try_from(text::width(&shown)).unwrap_or(width);
    let x = if right { at.0 + width.saturating_sub(used) } else { at.0 };
    let edge = buffer.area.right();
    if x < edge {
        buffer.set_stringn(x, at.1, shown, usize::from(width.min(edge - x)), style);
    }
}
