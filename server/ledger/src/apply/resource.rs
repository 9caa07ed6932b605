//! Editing resources over the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::apply::Draft;
use crate::change::Change;
use crate::command::{CordonEdit, ResourceEdit};
use crate::event::{Event, EventKind};
use crate::limits;
use crate::name::{PoolName, State, Target, Text};
use crate::pool::{Pool, PoolOrigin};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::resource::{Cordon, Details, Origin, Resource};

impl Draft<'_> {
    /// Creates a resource or replaces what an edit can set.
    pub(super) fn put_resource(&mut self, edit: ResourceEdit) -> Result<Reply, Refusal> {
        let known = self.check_revision(&edit.name, edit.revision)?;
        let full = ResourceEdit {
            labels: Some(edit.labels.unwrap_or_default()),
            user_data: Some(edit.user_data.unwrap_or_default()),
            addresses: Some(edit.addresses.unwrap_or_default()),
            cordon: Some(edit.cordon.flatten()),
            ..edit
        };
        match known {
            Some(resource) => self.edit_resource(&resource, full),
            None => self.create_resource(full),
        }
    }

    /// Changes what is `Some` in the edit.
    pub(super) fn patch_resource(&mut self, edit: ResourceEdit) -> Result<Reply, Refusal> {
        match self.check_revision(&edit.name, edit.revision)? {
            Some(resource) => self.edit_resource(&resource, edit),
            None => Err(Refusal::NoSuchResource(edit.name)),
        }
    }

    /// Deletes a resource that nobody holds.
    pub(super) fn delete_resource(&mut self, name: &Target, revision: Option<u64>) -> Result<Reply, Refusal> {
        if self.check_revision(name, revision)?.is_none() {
            return Err(Refusal::NoSuchResource(name.clone()));
        }
        if self.is_held(name) {
            return Err(Refusal::Busy(self.ledger.conflict(name).into_iter().collect()));
        }
        self.erase(name);
        Ok(Reply::Done)
    }

    fn check_revision(&self, name: &Target, given: Option<u64>) -> Result<Option<Arc<Resource>>, Refusal> {
        let known = self.ledger.resources.get(name).cloned();
        let current = known.as_ref().map_or(0, |resource| resource.revision);
        match given {
            Some(given) if given != current => {
                Err(Refusal::StaleRevision { target: name.clone(), current, given })
            }
            _ => Ok(known),
        }
    }

    fn create_resource(&mut self, edit: ResourceEdit) -> Result<Reply, Refusal> {
        let pool = edit.pool.clone().ok_or_else(|| Refusal::PoolNeeded(edit.name.clone()))?;
        let details = self.edited(&Details::default(), &edit)?;
        self.room_for_resources(1)?;
        self.ensure_pool(&pool);
        let initial = self.ledger.pools.get(&pool).map(|pool| pool.initial_state.clone());
        let state = edit.state.or(initial).unwrap_or_else(State::free);
        let resource = self.create(edit.name, pool, state, Origin::Api, details);
        Ok(Reply::Edited(resource, true))
    }

    /// How many more resources may be made.
    pub(super) fn resources_left(&self) -> usize {
        self.ledger.settings.resources_max.saturating_sub(self.ledger.resources.len())
    }

    /// Whether so many more may be.
    pub(super) fn room_for_resources(&self, count: usize) -> Result<(), Refusal> {
        if count > self.resources_left() {
            let limit = self.ledger.settings.resources_max;
            return Err(Refusal::Full { what: "resources", limit });
        }
        Ok(())
    }

    fn edit_resource(&mut self, resource: &Arc<Resource>, edit: ResourceEdit) -> Result<Reply, Refusal> {
        let details = self.edited(resource.details(), &edit)?;
        let pool = edit.pool.unwrap_or_else(|| resource.pool.clone());
        let state = edit.state.unwrap_or_else(|| resource.state.clone());
        let moves = pool != resource.pool;
        if self.is_held(&resource.name) && (moves || state != resource.state) {
            return Err(Refusal::Busy(self.ledger.conflict(&resource.name).into_iter().collect()));
        }
        if !moves && state == resource.state && details == *resource.details() {
            return Ok(Reply::Edited(Arc::clone(resource), false));
        }
        self.ensure_pool(&pool);
        let origin = if moves { Origin::Api } else { resource.origin };
        let next = self.rewrite(resource, |next| {
            next.pool = pool;
            next.state = state;
            next.origin = origin;
            next.set_details(details);
        });
        self.tell_edit(resource, &next);
        if moves {
            self.stir(&resource.pool);
            self.drop_empty_pool(&resource.pool);
        }
        Ok(Reply::Edited(next, false))
    }

    fn tell_edit(&mut self, before: &Resource, after: &Resource) {
        let kind = match (before.cordon(), after.cordon()) {
            (None, Some(_)) => EventKind::ResourceCordoned,
            (Some(_), None) => EventKind::ResourceUncordoned,
            _ => EventKind::ResourceChanged,
        };
        let mut event = self.resource_event(kind, after);
        event.from = Some(before.state.clone());
        event.note = after.cordon().map(|cordon| Text::clone(&cordon.message));
        self.tell(event);
    }

    /// Lifts cordons whose time is over; "over" is strictly after.
    pub(super) fn end_cordons(&mut self) {
        while let Some((at, target)) = self.ledger.index.cordons.get_min().cloned()
            && at < self.now
        {
            let Some(resource) = self.ledger.resources.get(&target).cloned() else { return };
            let details = Details { cordon: None, ..resource.details().clone() };
            let next = self.rewrite(&resource, |next| next.set_details(details));
            let mut event = self.resource_event(EventKind::ResourceUncordoned, &next);
            event.from = Some(resource.state.clone());
            event.note = Some("the time of its cordon is over".into());
            self.tell(event);
        }
    }

    pub(super) fn resource_event(&self, kind: EventKind, resource: &Resource) -> Event {
        let mut event = self.event(kind);
        event.target = Some(resource.name.clone());
        event.pool = Some(resource.pool.clone());
        event.to = Some(resource.state.clone());
        event
    }

    /// `details` after the edit, within the limits.
    fn edited(&self, details: &Details, edit: &ResourceEdit) -> Result<Details, Refusal> {
        let mut next = details.clone();
        if let Some(labels) = &edit.labels {
            next.labels = labels.clone().into();
        }
        if let Some(user_data) = &edit.user_data {
            next.user_data.clone_from(user_data);
        }
        if let Some(addresses) = &edit.addresses {
            next.addresses = addresses.clone();
        }
        if let Some(cordon) = &edit.cordon {
            if cordon.as_ref().and_then(|cordon| cordon.until).is_some_and(|until| until <= self.now) {
                return Err(Refusal::CordonOver(edit.name.clone()));
            }
            let since = details.cordon.as_ref().map_or(self.now, |cordon| cordon.since);
            next.cordon =
                cordon.clone().map(|CordonEdit { message, until }| Cordon { message, since, until });
        }
        if next.labels.len() > limits::LABELS_MAX {
            return Err(Refusal::TooLarge { what: "labels on one resource", limit: limits::LABELS_MAX });
        }
        // What it had before there was this bound does not keep it from other changes.
        if edit.labels.is_some() && bytes(&next.labels) > limits::LABELS_BYTES_MAX {
            return Err(Refusal::TooLarge {
                what: "bytes of labels on one resource",
                limit: limits::LABELS_BYTES_MAX,
            });
        }
        check_user_data(&next.user_data)?;
        Ok(next)
    }

    /// Makes a resource. The pool must exist.
    pub(super) fn create(
        &mut self,
        name: Target,
        pool: PoolName,
        state: State,
        origin: Origin,
        details: Details,
    ) -> Arc<Resource> {
        let mut resource = Resource {
            name,
            pool,
            state,
            origin,
            created_at: self.now,
            updated_at: self.now,
            expires_at: None,
            revision: self.next_revision(),
            details: None,
        };
        resource.set_details(details);
        let resource = Arc::new(resource);
        self.record(Change::Resource(Arc::clone(&resource)));
        let event = self.resource_event(EventKind::ResourceCreated, &resource);
        self.tell(event);
        if let Some(cordon) = resource.cordon() {
            let mut event = self.resource_event(EventKind::ResourceCordoned, &resource);
            event.note = Some(Text::clone(&cordon.message));
            self.tell(event);
        }
        resource
    }

    /// Deletes a resource that nobody holds, and its pool if nothing keeps that.
    pub(super) fn erase(&mut self, name: &Target) {
        let Some(resource) = self.ledger.resources.get(name).cloned() else { return };
        self.record(Change::ResourceGone(name.clone()));
        let mut event = self.resource_event(EventKind::ResourceDeleted, &resource);
        event.from = event.to.take();
        self.tell(event);
        self.stir(&resource.pool);
        // Whoever waits for it by name now waits for a name that nobody registered.
        self.freed.insert(crate::command::Wanted::Target(name.clone()));
        self.drop_empty_pool(&resource.pool);
    }

    fn ensure_pool(&mut self, name: &PoolName) {
        if self.ledger.pools.contains_key(name) {
            return;
        }
        self.set_pool(Pool {
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

    /// Writes a pool if it differs from what is there.
    pub(super) fn set_pool(&mut self, pool: Pool) {
        let kind = match self.ledger.pools.get(&pool.name) {
            Some(known) if **known == pool => return,
            Some(_) => EventKind::PoolChanged,
            None => EventKind::PoolCreated,
        };
        let mut event = self.event(kind);
        event.pool = Some(pool.name.clone());
        self.record(Change::Pool(Arc::new(pool)));
        self.tell(event);
    }

    /// A pool that nobody declares lives as long as it has resources or a lifecycle.
    pub(super) fn drop_empty_pool(&mut self, name: &PoolName) {
        let Some(pool) = self.ledger.pools.get(name) else { return };
        let empty = self.ledger.index.members.get(name).is_none_or(|members| members.all.is_empty());
        if empty && pool.origin != PoolOrigin::Config && pool.lifecycle.is_none() {
            let mut event = self.event(EventKind::PoolDeleted);
            event.pool = Some(name.clone());
            self.record(Change::PoolGone(name.clone()));
            self.tell(event);
        }
    }
}

pub(super) fn check_user_data(user_data: &BTreeMap<Text, Text>) -> Result<(), Refusal> {
    if bytes(user_data) > limits::USER_DATA_BYTES_MAX {
        return Err(Refusal::TooLarge {
            what: "bytes of user data on one resource",
            limit: limits::USER_DATA_BYTES_MAX,
        });
    }
    Ok(())
}

fn bytes(pairs: &BTreeMap<Text, Text>) -> usize {
    pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
}
