package contract

import "strings"

// LogQuery is a query that is saved in CloudWatch Logs Insights, over the lines that the function writes.
type LogQuery struct {
	ID    string // construct id
	Name  string // in the console, after the function's name
	About string
	Query string // CloudWatch Logs Insights query language
}

// queryCalls selects the lines that the function writes for calls.
const queryCalls = "filter " + FieldMessage + ` = "` + LogMessage + `"`

// LogQueries has one row for each saved query.
var LogQueries = []LogQuery{
	{"Denied", "denied-and-why", "who was denied, and why", query(
		fields(FieldRequestID, FieldOperation, FieldReason, ClientIDClaims[0], FieldGot, FieldWant),
		queryCalls+" and "+FieldOutcome+` != "authorized"`, newest, "limit 200")},
	{"ByClient", "requests-by-client", "how many requests each app made, and what came of them", query(
		queryCalls, "stats count(*) as requests by "+ClientIDClaims[0]+", "+FieldOutcome, "sort requests desc")},
	{"Slowest", "slowest-calls", "the slowest calls, and what they waited for", query(
		fields(FieldRequestID, FieldTotalMS, FieldSecretMS, FieldIdPMS, FieldIdPRequests, FieldCacheHit, FieldReason),
		queryCalls, "sort "+FieldTotalMS+" desc", "limit 50")},
	{"OneRequest", "one-request", "everything about one request: put its id in the place of <request id>", query(
		"fields @timestamp, @message", `filter @message like "<request id>"`, newest)},
}

const newest = "sort @timestamp desc"

func fields(names ...string) string { return "fields @timestamp, " + strings.Join(names, ", ") }

func query(commands ...string) string { return strings.Join(commands, "\n| ") }
