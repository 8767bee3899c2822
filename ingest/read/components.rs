//! Connected pieces of ink.

use crate::geometry::RectPx;

/// The 8-connected components of a mask.
pub(super) struct Components {
    width: usize,
    /// 0 is paper; component `n` of [`Self::list`] carries `n + 1`. Row by row.
    labels: Vec<u32>,
    pub list: Vec<Component>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Component {
    pub area: usize,
    pub bounds: RectPx,
}

impl Components {
    /// Labels a mask of `width` columns, row by row.
    pub fn of(mask: &[bool], width: usize) -> Self {
        let height = mask.len() / width.max(1);
        // First pass: provisional labels, and which of them are the same piece.
        let mut labels = vec![0u32; mask.len()];
        let mut parents = vec![0u32];
        for y in 0..height {
            for x in 0..width {
                let at = y * width + x;
                if !mask[at] {
                    continue;
                }
                let mut label = 0;
                let above = |offset: isize| {
                    let column = x as isize + offset;
                    (y > 0 && (0..width as isize).contains(&column))
                        .then(|| labels[at - width + column as usize - x])
                };
                let left = (x > 0).then(|| labels[at - 1]);
                for neighbour in [left, above(-1), above(0), above(1)].into_iter().flatten() {
                    if neighbour == 0 {
                        continue;
                    }
                    label = match label {
                        0 => root(&mut parents, neighbour),
                        label => join(&mut parents, label, neighbour),
                    };
                }
                if label == 0 {
                    label = parents.len() as u32;
                    parents.push(label);
                }
                labels[at] = label;
            }
        }
        // Second pass: final numbers in the order of first appearance, with area and bounds.
        let mut numbers = vec![0u32; parents.len()];
        let mut list: Vec<Component> = Vec::new();
        for (at, label) in labels.iter_mut().enumerate() {
            if *label == 0 {
                continue;
            }
            let root = root(&mut parents, *label) as usize;
            let (x, y) = ((at % width) as u32, (at / width) as u32);
            if numbers[root] == 0 {
                list.push(Component { area: 0, bounds: RectPx { x, y, w: 1, h: 1 } });
                numbers[root] = list.len() as u32;
            }
            *label = numbers[root];
            let component = &mut list[numbers[root] as usize - 1];
            component.area += 1;
            let bounds = &mut component.bounds;
            let right = (bounds.x + bounds.w).max(x + 1);
            bounds.x = bounds.x.min(x);
            bounds.w = right - bounds.x;
            bounds.h = y + 1 - bounds.y;
        }
        Self { width, labels, list }
    }

    /// Which component the pixel belongs to.
    pub fn at(&self, x: usize, y: usize) -> Option<usize> {
        (self.labels[y * self.width + x] as usize).checked_sub(1)
    }
}

fn root(parents: &mut [u32], label: u32) -> u32 {
    let mut at = label;
    while parents[at as usize] != at {
        let above = parents[parents[at as usize] as usize];
        parents[at as usize] = above;
        at = above;
    }
    at
}

fn join(parents: &mut [u32], one: u32, other: u32) -> u32 {
    let (one, other) = (root(parents, one), root(parents, other));
    let (low, high) = (one.min(other), one.max(other));
    parents[high as usize] = low;
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn components(picture: &str) -> Components {
        let rows: Vec<&str> = picture.split_whitespace().collect();
        let mask: Vec<bool> = rows.iter().flat_map(|row| row.bytes().map(|ink| ink == b'#')).collect();
        Components::of(&mask, rows[0].len())
    }

    #[test]
    fn pieces_that_meet_later_are_one() {
        let found = components("#...# #.#.# .#.#. .....  ..#..");
        assert_eq!(
            found.list,
            [
                Component { area: 7, bounds: RectPx { x: 0, y: 0, w: 5, h: 3 } },
                Component { area: 1, bounds: RectPx { x: 2, y: 4, w: 1, h: 1 } },
            ]
        );
        assert_eq!((found.at(4, 0), found.at(2, 4), found.at(0, 4)), (Some(0), Some(1), None));
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(components("... ...").list.is_empty());
    }
}
