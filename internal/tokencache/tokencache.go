// Package tokencache keeps, for a short time, what is known about a token: what an authorization server said about it, for
// deployments that accept that a revoked token keeps working until then; or what a verified token says.
package tokencache

import (
	"container/list"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"healthlake-smart-on-fhir/internal/claims"
)

const (
	// maxEntries bounds what is kept, as the cache's bytes do; the least recently used go first.
	maxEntries = 4096
	// maxDenial bounds how long a denial is kept: a token may become active moments after a first try.
	maxDenial = 5 * time.Second
)

type key [sha256.Size]byte

type entry struct {
	key     key
	claims  claims.Set
	bytes   int
	expires time.Time
}

// Cache maps tokens to claims. It is safe for concurrent use. It never holds a token, only a keyed hash of it; the key is
// random and exists in this process alone.
type Cache struct {
	keep   time.Duration
	most   int // bytes
	now    func() time.Time
	secret [sha256.Size]byte

	mu      sync.Mutex
	entries map[key]*list.Element
	recent  *list.List // of *entry; the most recently used in front
	bytes   int
}

// New returns a cache that keeps claims for the time given, none with a time of 0, and about so many bytes of them at most.
// Its clock is now.
func New(keep time.Duration, most int, now func() time.Time) *Cache {
	c := &Cache{
		keep: keep,
		most: most,
		// Round drops the monotonic reading, which may stand still while Lambda has the process frozen.
		now:     func() time.Time { return now().Round(0) },
		entries: map[key]*list.Element{}, recent: list.New(),
	}
	_, _ = rand.Read(c.secret[:]) // never fails, says its documentation
	return c
}

// Claims returns the claims of a token and whether they come from the cache. realm names what the claims depend on beside
// the token, such as the provider and our credentials there: another realm misses. On a miss, load gets the claims; its
// errors are returned and not kept. Claims are kept until the cache's time is over or the token's exp is reached, and for at
// most five seconds if active is not true. The caller must not change them.
func (c *Cache) Claims(ctx context.Context, realm, token string, load func(context.Context) (claims.Set, error)) (set claims.Set, cached bool, err error) {
	if c.keep <= 0 {
		set, err = load(ctx)
		return set, false, err
	}
	k := c.hash(realm, token)
	if set, ok := c.find(k); ok {
		return set, true, nil
	}
	asked := c.now() // the response is at least as old as the request
	if set, err = load(ctx); err != nil {
		return nil, false, err
	}
	c.add(k, set, asked)
	return set, false, nil
}

func (c *Cache) hash(realm, token string) (k key) {
	mac := hmac.New(sha256.New, c.secret[:])
	inner := sha256.Sum256([]byte(realm)) // of fixed length: where the realm ends and the token begins is not ambiguous
	mac.Write(inner[:])
	mac.Write([]byte(token))
	mac.Sum(k[:0])
	return k
}

// find returns claims that are still good.
func (c *Cache) find(k key) (claims.Set, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[k]
	if !ok {
		return nil, false
	}
	e := element.Value.(*entry)
	// If the clock was set back, an entry would be kept for too long.
	if left := e.expires.Sub(c.now()); left <= 0 || left > c.keep {
		c.remove(element)
		return nil, false
	}
	c.recent.MoveToFront(element)
	return e.claims, true
}

// add keeps claims that were asked for at a time.
func (c *Cache) add(k key, set claims.Set, asked time.Time) {
	expires := asked.Add(c.keep)
	if denied := asked.Add(maxDenial); !set.True("active") && denied.Before(expires) {
		expires = denied
	}
	exp, ok, err := set.Time("exp")
	if err != nil {
		return
	}
	if end := time.Unix(exp, 0); ok && end.Before(expires) {
		expires = end
	}
	if !expires.After(c.now()) {
		return
	}
	e := &entry{key: k, claims: set, bytes: size(set), expires: expires}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[k]; ok {
		c.remove(old)
	}
	c.entries[k] = c.recent.PushFront(e)
	c.bytes += e.bytes
	for len(c.entries) > maxEntries || c.bytes > c.most {
		c.remove(c.recent.Back())
	}
}

// remove deletes an entry. The caller holds the lock.
func (c *Cache) remove(element *list.Element) {
	e := c.recent.Remove(element).(*entry)
	delete(c.entries, e.key)
	c.bytes -= e.bytes
}

// size estimates an entry's memory: the text, and the map, headers and list around it.
func size(set claims.Set) int {
	n := 512
	for name, value := range set {
		n += len(name) + cap(value) + 64
	}
	return n
}
