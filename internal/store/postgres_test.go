package store_test

import (
	"testing"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/storetest"
)

func TestPostgres(t *testing.T) { conformance.Store(t, onPostgres) }

func TestPostgresFiles(t *testing.T) { conformance.Files(t, onPostgres) }

func onPostgres(t *testing.T, m message.Marking) conformance.StoreFixture {
	url := storetest.Postgres(t)
	return conformance.StoreFixture{Shared: true, Open: func(t *testing.T, p message.Process, c *conformance.Clock) conformance.StorePorts {
		return openMarking(t, m, url, p, c)
	}}
}
