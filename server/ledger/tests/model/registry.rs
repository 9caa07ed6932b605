//! Edits over the API, and the pools file.

use std::collections::BTreeMap;

use lessor_ledger::{
    Lifecycle, Origin, Pool, PoolEntry, PoolName, PoolOrigin, ResourceEdit, State, Target, Text,
};

use super::decide::Said;
use super::naive::{Model, Thing};

impl Model {
    pub(crate) fn not_held(&self, name: &Target) -> Result<(), String> {
        self.holder(name).map_or(Ok(()), |holder| Err(format!("busy {name} of {holder}")))
    }

    pub(crate) fn edit(&mut self, edit: &ResourceEdit, put: bool) -> Said {
        let labels = edit.labels.clone().or_else(|| put.then(BTreeMap::new));
        let data = edit.user_data.clone().or_else(|| put.then(BTreeMap::new));
        let cordon = if put { Some(edit.cordon.clone().flatten()) } else { edit.cordon.clone() };
        let cordon = cordon.map(|cordon| cordon.map(|cordon| (cordon.message, cordon.until)));
        let over = matches!(&cordon, Some(Some((_, Some(until)))) if *until <= self.time());
        let Some(old) = self.thing(&edit.name).cloned() else {
            if !put {
                return Err("no resource".into());
            }
            let pool = edit.pool.clone().ok_or("pool needed")?;
            if over {
                return Err("cordon over".into());
            }
            self.ensure_pool(&pool);
            let initial = self.pool(&pool).map(|pool| pool.initial_state.clone());
            let state = edit.state.clone().or(initial).unwrap_or_else(State::free);
            let thing = self.make(Some(edit.name.clone()), pool, state, Origin::Api);
            thing.labels = labels.unwrap_or_default();
            thing.data = data.unwrap_or_default();
            thing.cordon = cordon.flatten();
            return Ok(format!("new {}", edit_text(thing)));
        };
        if over {
            return Err("cordon over".into());
        }
        let mut new = Thing {
            pool: edit.pool.clone().unwrap_or_else(|| old.pool.clone()),
            state: edit.state.clone().unwrap_or_else(|| old.state.clone()),
            labels: labels.unwrap_or_else(|| old.labels.clone()),
            data: data.unwrap_or_else(|| old.data.clone()),
            cordon: cordon.unwrap_or_else(|| old.cordon.clone()),
            ..old.clone()
        };
        let moves = new.pool != old.pool;
        if moves || new.state != old.state {
            self.not_held(&edit.name)?;
        }
        if moves {
            new.origin = Origin::Api;
        }
        let said = format!("edited {}", edit_text(&new));
        if new != old {
            new.updated = self.time();
            self.ensure_pool(&new.pool);
            *self.thing_mut(&edit.name).expect("it was just seen") = new;
            self.forget_pool_if_empty(&old.pool);
        }
        Ok(said)
    }

    fn ensure_pool(&mut self, name: &PoolName) {
        if self.pool(name).is_none() {
            self.pools.push(Pool {
                name: name.clone(),
                origin: PoolOrigin::Api,
                initial_state: State::free(),
                lifecycle: None,
                default_ttl: None,
                max_ttl: None,
                on_expire: None,
                reap_after: None,
            });
        }
    }

    /// §3.9. Every pool of the files used here is declared once.
    pub(crate) fn sync(&mut self, entries: &[PoolEntry]) -> String {
        let dynamic_before: Vec<PoolName> =
            self.pools.iter().filter(|pool| pool.lifecycle.is_some()).map(|pool| pool.name.clone()).collect();
        let pools_before: Vec<PoolName> = self.pools.iter().map(|pool| pool.name.clone()).collect();
        let lame = |lifecycle: &Lifecycle| Lifecycle { min_count: 0, max_count: 0, ..lifecycle.clone() };
        for pool in &mut self.pools {
            match entries.iter().find(|entry| entry.pool.name == pool.name) {
                Some(entry) => {
                    let old = pool.lifecycle.as_ref().map(lame);
                    *pool = entry.pool.clone();
                    pool.lifecycle = pool.lifecycle.clone().or(old);
                }
                None if pool.origin == PoolOrigin::Config => {
                    pool.origin = PoolOrigin::Retired;
                    pool.lifecycle = pool.lifecycle.as_ref().map(lame);
                }
                None => {}
            }
        }
        for entry in entries.iter().filter(|entry| !pools_before.contains(&entry.pool.name)) {
            self.pools.push(entry.pool.clone());
        }
        let mut deferred = Vec::new();
        let things_before = self.things.clone();
        for thing in things_before.clone() {
            let listed = entries.iter().find(|entry| entry.names.contains(&thing.name));
            let is_dynamic = dynamic_before.contains(&thing.pool)
                || entries.iter().any(|e| e.pool.name == thing.pool && e.pool.lifecycle.is_some());
            let mine = self.thing_mut(&thing.name).expect("it was just seen");
            match listed {
                Some(entry) if entry.pool.name == thing.pool => {
                    mine.origin = Origin::Listed;
                    mine.moves = None;
                    if let Some(labels) = &entry.labels {
                        mine.labels = BTreeMap::clone(labels);
                    }
                }
                Some(entry) => {
                    let labels = labels_of(entry);
                    let next = (entry.pool.name.clone(), entry.pool.initial_state.clone(), labels);
                    self.send_off(&thing, Some(next), &mut deferred);
                }
                None if matches!(thing.origin, Origin::Api | Origin::Dynamic) => {}
                None if is_dynamic => {
                    mine.origin = Origin::Dynamic;
                    mine.moves = None;
                }
                None => self.send_off(&thing, None, &mut deferred),
            }
        }
        for entry in entries {
            for name in &entry.names {
                if self.thing(name).is_none() {
                    let (pool, state) = (entry.pool.name.clone(), entry.pool.initial_state.clone());
                    let labels = labels_of(entry);
                    let before = things_before.iter().find(|thing| thing.name == *name);
                    let cordon = before.and_then(|thing| thing.cordon.clone());
                    let made = self.make(Some(name.clone()), pool, state, Origin::Listed);
                    (made.labels, made.cordon) = (labels, cordon);
                }
            }
        }
        for name in &pools_before {
            self.forget_pool_if_empty(name);
        }
        deferred.sort();
        format!("synced {}", super::decide::list(&deferred))
    }

    fn send_off(
        &mut self,
        thing: &Thing,
        next: Option<(PoolName, State, BTreeMap<Text, Text>)>,
        deferred: &mut Vec<Target>,
    ) {
        if self.holder(&thing.name).is_none() {
            self.remove(&thing.name);
            return;
        }
        let mine = self.thing_mut(&thing.name).expect("it was just seen");
        mine.origin = Origin::Leaving;
        mine.moves = next;
        deferred.push(thing.name.clone());
    }
}

fn labels_of(entry: &PoolEntry) -> BTreeMap<Text, Text> {
    entry.labels.as_deref().cloned().unwrap_or_default()
}

pub(crate) fn edit_text(thing: &Thing) -> String {
    format!("{} {} {} {:?} {:?}", thing.name, thing.pool, thing.state, thing.labels, thing.cordon)
}
