package keygen

import (
	"crypto"
	"slices"
	"time"
)

// All of these but make and makeHere are called with the lock held.

// take returns a key that is ready, nil if there is none.
func (p *Pool) take(alg Algorithm) crypto.Signer {
	keys := p.stock[alg]
	if len(keys) == 0 {
		return nil
	}
	last := len(keys) - 1
	key := keys[last]
	keys[last] = nil
	p.stock[alg] = keys[:last]
	p.figures[alg].Taken++
	return key
}

// leave removes a waiter. It returns false if the waiter has been served.
func (p *Pool) leave(w *waiter) bool {
	i := slices.Index(p.waiting, w)
	if i < 0 {
		return false
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	p.figures[w.alg].Waiting--
	return true
}

// serve begins as many keys as those who wait need and Workers allows.
func (p *Pool) serve() {
	for !p.closed && p.making < p.workers {
		alg, ok := p.wanted()
		if !ok {
			break
		}
		p.making++
		p.coming[alg]++
		go p.make(alg, &p.making)
	}
	if len(p.waiting) == 0 {
		select {
		case p.calm <- struct{}{}:
		default:
		}
	}
}

// fill begins as many keys ahead as Background allows.
func (p *Pool) fill() {
	for p.ahead && !p.closed && p.filling < p.background && len(p.waiting) == 0 {
		alg, ok := p.short()
		if !ok {
			break
		}
		p.filling++
		p.coming[alg]++
		go p.make(alg, &p.filling)
	}
}

// wanted returns the algorithm of the first waiter for whom no key is being made.
func (p *Pool) wanted() (Algorithm, bool) {
	coming := make(map[Algorithm]int, len(p.coming))
	for _, w := range p.waiting {
		if coming[w.alg]++; coming[w.alg] > p.coming[w.alg] {
			return w.alg, true
		}
	}
	return "", false
}

// short returns the algorithm of which the smallest share of what should be ready is there or being made.
func (p *Pool) short() (Algorithm, bool) {
	var shortest Algorithm
	least := 1.0
	for _, alg := range Algorithms() {
		if p.ready[alg] == 0 {
			continue
		}
		share := float64(len(p.stock[alg])+p.coming[alg]) / float64(p.ready[alg])
		if share < least {
			shortest, least = alg, share
		}
	}
	return shortest, shortest != ""
}

// make makes one key; count is the number of makers of its kind.
func (p *Pool) make(alg Algorithm, count *int) {
	key, err := p.generate(alg)
	p.mu.Lock()
	defer p.mu.Unlock()
	*count--
	p.coming[alg]--
	p.deliver(alg, made{key, err})
	switch {
	case len(p.waiting) > 0 || err == nil && count == &p.making:
		p.serve()
	case err == nil: // a generator that fails is not asked again for nobody
		p.fill()
	}
	p.changed.Broadcast()
}

// deliver gives a key to the first who waits for one of its algorithm, keeps it for later, or wipes it.
func (p *Pool) deliver(alg Algorithm, m made) {
	figures := p.figures[alg]
	if m.err != nil {
		figures.Failed++
	} else {
		figures.Made++
	}
	i := slices.IndexFunc(p.waiting, func(w *waiter) bool { return w.alg == alg })
	switch {
	case i >= 0:
		w := p.waiting[i]
		p.waiting = slices.Delete(p.waiting, i, i+1)
		figures.Waiting--
		if m.err == nil {
			figures.Taken++
			figures.Waited++
			figures.WaitTime += time.Since(w.since)
		}
		w.got <- m
	case m.err != nil:
	case !p.closed && len(p.stock[alg]) < p.ready[alg]:
		p.stock[alg] = append(p.stock[alg], m.key)
	default:
		Wipe(m.key)
	}
}

// makeHere makes a key in the goroutine of the caller.
func (p *Pool) makeHere(alg Algorithm) (crypto.Signer, error) {
	key, err := p.generate(alg)
	p.mu.Lock()
	defer p.mu.Unlock()
	figures := p.figures[alg]
	if err != nil {
		figures.Failed++
		return nil, err
	}
	figures.Made++
	figures.Taken++
	p.serve()
	return key, nil
}
