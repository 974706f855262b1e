package gateway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Connector implements [ConnectorStore].
func (m *MemoryStore) Connector(_ context.Context, tenant, id string) (*Connector, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.connectors[tenant][id]
	if !ok {
		return nil, fmt.Errorf("%w: connector %s", ErrNotFound, id)
	}
	return c.clone(), nil
}

// PutConnector implements [ConnectorStore].
func (m *MemoryStore) PutConnector(_ context.Context, c *Connector) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var stored int64
	old, ok := m.connectors[c.Tenant][c.ID]
	if ok {
		stored = old.Version
	}
	if err := admit(c.Version, stored, m.nConnector, maxMemoryConnectors); err != nil {
		return fmt.Errorf("%w: connector %s", err, c.ID)
	}
	if m.connectors[c.Tenant] == nil {
		m.connectors[c.Tenant] = make(map[string]*Connector)
	}
	if !ok {
		m.nConnector++
	}
	c.Version++
	m.connectors[c.Tenant][c.ID] = c.clone()
	return nil
}

// DeleteConnector implements [ConnectorStore].
func (m *MemoryStore) DeleteConnector(_ context.Context, tenant, id string, version int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.connectors[tenant][id]
	switch {
	case !ok:
		return fmt.Errorf("%w: connector %s", ErrNotFound, id)
	case c.Version != version:
		return fmt.Errorf("%w: connector %s", ErrConflict, id)
	}
	delete(m.connectors[tenant], id)
	if m.nConnector--; len(m.connectors[tenant]) == 0 {
		delete(m.connectors, tenant)
	}
	return nil
}

// Connectors implements [ConnectorStore].
func (m *MemoryStore) Connectors(_ context.Context, tenant string) ([]*Connector, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*Connector, 0, len(m.connectors[tenant]))
	for _, c := range m.connectors[tenant] {
		out = append(out, c.clone())
	}
	slices.SortFunc(out, func(a, b *Connector) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// Code implements [CodeStore].
func (m *MemoryStore) Code(_ context.Context, tenant, id string) (*Code, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.codes[key{tenant, id}]
	if !ok {
		return nil, fmt.Errorf("%w: enrollment code", ErrNotFound)
	}
	return c.clone(), nil
}

// PutCode implements [CodeStore]. When the store is full of codes, those that have expired are forgotten.
func (m *MemoryStore) PutCode(_ context.Context, c *Code) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.codes) >= maxMemoryCodes {
		now := time.Now()
		maps.DeleteFunc(m.codes, func(_ key, c *Code) bool { return c.Expires.Before(now) })
	}
	k := key{c.Tenant, c.ID}
	var stored int64
	if old, ok := m.codes[k]; ok {
		stored = old.Version
	}
	if err := admit(c.Version, stored, len(m.codes), maxMemoryCodes); err != nil {
		return fmt.Errorf("%w: enrollment code", err)
	}
	c.Version++
	m.codes[k] = c.clone()
	return nil
}

// clone copies the record and the slices that its owner appends to; what they refer to is shared, and never changed.
func (j *Job) clone() *Job {
	c := *j
	c.Holders = slices.Clone(j.Holders)
	c.Refusals = slices.Clone(j.Refusals)
	c.Extra = slices.Clone(j.Extra)
	c.Events = slices.Clone(j.Events)
	return &c
}

func (c *Connector) clone() *Connector {
	k := *c
	k.CAs = slices.Clone(c.CAs)
	k.Former = slices.Clone(c.Former)
	return &k
}

func (c *Code) clone() *Code {
	k := *c
	k.CAs = slices.Clone(c.CAs)
	return &k
}
