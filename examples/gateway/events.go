package main

import (
	"log"

	"github.com/adcskit/adcskit/wsproto/gateway"
)

// logConnector tells of connectors that come and go, and what a person has to do about them.
func logConnector(logger *log.Logger, e gateway.ConnectorEvent) {
	who := e.Tenant + ": connector " + e.Connector
	if e.Host != "" {
		who += " (" + e.Host + ")"
	}
	who += " from " + e.Source
	switch e.Kind {
	case gateway.ConnectorWaits:
		logger.Printf("%s waits for approval: compare its fingerprint with what `connector show` prints there, then: "+
			"gateway approve %s %s", who, e.Tenant, e.Connector)
	case gateway.ConnectorActive:
		logger.Printf("%s is connected; assigned: %s", who, listCAs(e.CAs))
		if len(e.CAs) == 0 {
			logger.Printf(`%s gets no jobs before: gateway assign %s %s 'HOST\NAME'`, who, e.Tenant, e.Connector)
		}
	case gateway.ConnectorRefused:
		logger.Printf("%s was refused: %s", who, e.Message)
	case gateway.ConnectorGone:
		logger.Printf("%s is gone: %s", who, e.Message)
	}
}
