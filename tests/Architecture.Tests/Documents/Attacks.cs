namespace Millrace.Architecture.Tests.Documents;

/// <param name="Missing">Why there is no test, or what the tests do not show; null when they show it all.</param>
internal sealed record AttackRow(int Row, string Attack, string Answer, string? Missing = null);

/// <summary>The attacks that Millrace must stand, in the order of its report.</summary>
internal static class Attacks
{
    private const string NoWebhooks = "there are no webhooks yet";
    private const string NoConsole = "there is no console yet";

    public static IReadOnlyList<AttackRow> All { get; } =
    [
        new(1, "Each route, and paths without one, without a key", "401 with WWW-Authenticate, but for health and problems; a route that does not say what it asks of its caller fails a test"),
        new(2, "Keys and tokens that are cut, lengthened, unknown, expired, revoked on the other replica, of 10 KB, forged (alg none, the public key as a secret, another issuer or audience)", "401 with one body for all; revoked works nowhere after 5 s",
            "event streams, which there are none of; a wait that was going on ends as it would have"),
        new(3, "The database is read", "SHA-256 of keys of 256 random bits; the key itself is in no file and in no second answer"),
        new(4, "Wrong keys of one address without end", "429 after a number; keys are judged in memory, so the store is never asked; a good key from there works", "100,000 of them: the number is a setting, and the test has it smaller"),
        new(5, "First start", "no default key; open on loopback only; on another address it refuses to start"),
        new(6, "Role x route", "as docs/access.md says"),
        new(7, "Another tenant's job by every route, its idempotency key, in bulk filters", "404 as for an unknown id, and the job is as it was", "the median time of both over 1,000 tries"),
        new(8, "Ids that are none: short, zero, with ../ or NUL, a megabyte long", "404, 400 or 414"),
        new(9, "Members that are not the client's: tenant_id, state, attempt, role, fence", "/v1 refuses, /v2 ignores, nothing is taken over"),
        new(10, "The last admin revokes itself; an operator makes an admin key", "409 and 403, both audited"),
        new(11, "A model that is not for this tenant, by every way", "404, and in no list"),
        new(12, "Bodies one byte over the limit with and without a length; a length of -1; a gigabyte announced and 10 bytes sent", "413 before or while reading; 400; cut by the data rate", "the memory of the process beside it"),
        new(13, "100,000 brackets, also in what is ignored", "400, no overflow of the stack"),
        new(14, "Shapes whose product overflows, negative, fractional, of 1,000 dimensions, not as long as data", "400 before anything is allocated"),
        new(15, "NaN, Infinity, 1e39, 256 as UINT8, 1.5 as INT32, null", "400 that names the tensor; never a bare NaN in an answer. In binary NaN and infinity pass bit by bit"),
        new(16, "The binary extension cut and forged: headers, sizes, sums, lengths of strings", "400 each; no read past the body"),
        new(17, "Bombs of gzip and deflate, two codings, br, cut gzip", "413 at the limit of decompressed bytes; 415; 400", "10 MB that become 10 GB: the tests send 1 GB"),
        new(18, "A body in chunks of one byte, 1,000 headers, 64 KB of headers, a line of 9 KB", "400, 431, 431, 414", "floods of HTTP/2 frames at the port for gRPC, which the framework bounds"),
        new(19, "Connections that send a byte at a time", "cut by the header time-out and the data rates; connections are bounded in total and per address", "2,000 of them beside other clients; addresses that are not loopback, where the bound per address holds"),
        new(20, "A model whose output is huge; one output asked for many times", "names are unique: 400; an answer above the model's or the message's limit is 413, a job fails result_too_large"),
        new(21, "A variable dimension at its maximum", "2^24 elements of a tensor are the most: 400; a run that would pass Worker:MaxRunBytes fails alone"),
        new(22, "Strings with NUL, half a surrogate, four bytes, invalid UTF-8", "400, or stored and returned as they were"),
        new(23, "X-Forwarded-For, Forwarded, X-Real-IP from anybody; from a trusted proxy with what the client made up on the left", "ignored; the right-most that is not trusted counts"),
        new(24, "Many keys of one tenant; IPv6 addresses of one /64", "the tenant's limit; one caller", "a table of 100,000 callers: bounded in the code, not filled in a test"),
        new(25, "Two replicas hammered with one key; a replica killed that holds leased quota", "the sum never passes the limit, and nearly all of it is used; the next window is whole"),
        new(26, "Idempotency keys of 5 KB, with foreign letters", "400", "a flood of a million: what it stores is bounded by the tenant's jobs and ends after 24 h"),
        new(27, "timeout, expires_in, result_ttl, max_attempts, priority at 0, -1, 2^31, 1e308; metadata of 17 keys, of 501 letters", "400 with a pointer"),
        new(28, "Replays without end, bulk replays of everything", "they count as requests, and as the tenant's jobs: 429; at most 10,000 in one", "a replay of a replay, 50 deep"),
        new(29, "Webhook addresses that lead inside", "400", NoWebhooks),
        new(30, "Rebinding of a webhook's name", "no connection", NoWebhooks),
        new(31, "Redirects of a webhook", "not followed", NoWebhooks),
        new(32, "Schemes and ports of a webhook", "400", NoWebhooks),
        new(33, "A webhook's receiver that answers without end", "cut", NoWebhooks),
        new(34, "Signatures of webhooks", "as the vectors", NoWebhooks),
        new(35, "Line ends, escape sequences and U+2028 in names, headers and ids", "one line in the log, nothing of them raw", "logs as JSON, event streams"),
        new(36, "Canary secrets through every door", "in no log, no answer, no list of settings", "metrics and traces, which leave the process by no way yet"),
        new(37, "Thousands of model names, routes and methods", "labels come from closed lists"),
        new(38, "Metrics, details of health, the interface's description from outside", "a key is asked for, or there is no such route; health gives states alone"),
        new(39, "A password in an address", "it is in no log and in no message", "a configuration file that others may read"),
        new(40, "Model names with ../, /, \\, NUL, of 300 letters, in another case", "404; they are looked up, and no path is built from them"),
        new(41, "External data outside the model's folder", "refused at load: relative, below the version's folder, links resolved, one name, regular, listed in SHA256SUMS, within its length, and not too many"),
        new(42, "A bit changed in a model or its data; a file replaced while it is checked", "not loaded, and what was loaded serves on; a file is opened once, and what is hashed is what is loaded"),
        new(43, "Graphs that run or grow without end", "a run ends at its time or memory limit; the worker is the sacrifice", "a limit on the memory that loading takes, but the file's size"),
        new(44, "Load and unload by others than admins, or with a model sent along", "403; 400, as models come from the repository's folder only, and nothing is ever written there"),
        new(45, "Messages that are empty, cut, huge, deep, of a wrong type, with forged headers", "set aside once and counted, or acknowledged; consumers go on; nothing in a message is trusted but its id"),
        new(46, "A reply with a guessed correlation id; a reply twice", "dropped", "a second reply"),
        new(47, "Rights of users of the broker", "each only what it needs", "set by whoever runs the broker; docs/operating.md says which"),
        new(48, "SQL in ids, filters and cursors, % and _ in a search, a filter of a megabyte, an order that is none", "parameters alone; 400 or 414; what they name is compared letter by letter", "a database role without DDL: migrations run with the one that there is"),
        new(49, "$type and names of types in bodies", "ignored or 400; no serializer that reads type names anywhere"),
        new(50, "Scripts in names, shown", "text", NoConsole),
        new(51, "Forms of other origins", "refused", NoConsole),
        new(52, "Sessions after a key's end", "ended", NoConsole),
        new(53, "CORS of other origins; a key in the query", "no CORS header, and 403; refused"),
        new(54, "The container's rights", "not root, read-only root, no capabilities, seccomp, bounded tmp, memory limit, no service-account token: in every pod of the chart", "a container that runs on a cluster"),
        new(55, "Network policies", "everything is refused that is not named", "packets on a cluster"),
        new(56, "Ports and passwords of servers", "loopback or a network of their own; every password is made at random at the first start"),
        new(57, "The build", "locked; fault points refused in Production", "an audit of packages and a list of what is in it"),
        new(58, "Secrets changed while it runs", "a rolling restart takes the new ones and loses nothing; a secret may be a file", "without a restart: settings are read once, at start"),
        new(59, "Calls home", "not one packet, in a network that leads nowhere", "where no network can be made, and API and worker as processes of their own"),
    ];
}
