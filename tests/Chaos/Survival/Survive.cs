using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;
using RabbitMQ.Client;

namespace Millrace.Chaos.Survival;

/// <summary>Two APIs and three workers under load, while an API, a worker, RabbitMQ and PostgreSQL are killed in turn; then the broker loses its data; then the queue is
/// operated. Prints counts, and fails when one is not as it must be.</summary>
internal static class Survive
{
    private const string TicketQueue = "jobs.digits";
    private static bool _failed;

    public static async Task<int> RunAsync(Options options)
    {
        var stack = new Stack(2, 3, ("MILLRACE__WORKER__LEASE", "00:00:05"), ("LOGGING__LOGLEVEL__DEFAULT", "Warning"));
        try
        {
            await stack.UpAsync();
            await KillInTurnAsync(stack, options.Jobs > 0 ? options.Jobs : 20_000, options.Submitters);
            await WipeBrokerAsync(stack, 1000);
            await OperateAsync(stack, 500);
        }
        finally { await stack.DownAsync(); }
        Console.WriteLine(_failed ? "FAILED" : "all held");
        return _failed ? 1 : 0;
    }

    private static async Task KillInTurnAsync(Stack stack, int jobs, int submitters)
    {
        Console.WriteLine($"== {jobs} jobs of real digits by {submitters} submitters, while processes are killed");
        await using var witness = new Witness(stack.StoreUrl);
        var first = await witness.CountAsync("SELECT count(*) FROM jobs", CancellationToken.None);
        var load = new DigitsLoad(stack.Apis());
        var clock = Stopwatch.StartNew();
        string[] victims = ["api-1", "worker-1", "rabbitmq", "postgres", "worker-2", "api-2"];
        var all = new List<Task>();
        foreach (var (at, victim) in victims.Index())
        {
            // A share of the jobs for each kill, so that each comes under load, however long a restart takes.
            var sent = load.Accepted.Count;
            var share = (jobs * (at + 1) / victims.Length) - (jobs * at / victims.Length);
            var submitting = load.SubmitAsync(share, submitters, CancellationToken.None);
            all.Add(submitting);
            await Waiting.UntilAsync(() => load.Accepted.Count >= sent + (share / 3) || submitting.IsCompleted, "a third of the share is accepted", 300);
            long running = 0;
            await Waiting.UntilAsync(async () => (running = await witness.CountAsync("SELECT count(*) FROM jobs WHERE state = 1", CancellationToken.None)) > 0 || submitting.IsCompleted, "a job runs", 300);
            await stack.KillAsync(victim);
            Must(!submitting.IsCompleted && running > 0, $"{victim} killed after {load.Accepted.Count} accepted jobs, while {running} ran");
            await stack.UpAsync();
        }
        await Task.WhenAll(all);
        var (right, wrong, missing) = await load.ReadAllAsync(CancellationToken.None);
        async Task<long> CountAsync(string sql) => await witness.CountAsync(sql, CancellationToken.None);
        Console.WriteLine($"   {clock.Elapsed.TotalSeconds:0} s; {load.Repeats} submissions were sent again after no answer or a 5xx");
        Must(load.Accepted.Count == jobs, $"{load.Accepted.Count} accepted");
        Must(right == jobs && wrong == 0 && missing == 0, $"{right} right labels, {wrong} wrong, {missing} without a result");
        Must(await CountAsync("SELECT count(*) FROM jobs") - first == jobs, $"{await CountAsync("SELECT count(*) FROM jobs") - first} jobs stored");
        Must(await CountAsync("SELECT count(*) FROM jobs WHERE state IN (0, 1)") == 0, $"{await CountAsync("SELECT count(*) FROM jobs WHERE state IN (0, 1)")} queued or running");
        Must(await CountAsync("SELECT count(*) FROM (SELECT job_id FROM job_results GROUP BY job_id HAVING count(*) > 1) AS d") == 0, "no job with two results");
        Console.WriteLine($"   {await CountAsync("SELECT count(*) FROM jobs WHERE attempt > 1")} jobs took more than one attempt");
    }

    private static async Task WipeBrokerAsync(Stack stack, int jobs)
    {
        Console.WriteLine($"== The broker loses all its data while {jobs} jobs are queued and no worker runs");
        await stack.UpAsync(workers: 0);
        var load = new DigitsLoad(stack.Apis());
        await load.SubmitAsync(jobs, 32, CancellationToken.None);
        await Waiting.UntilAsync(async () => await TicketsAsync(stack) >= jobs, "the tickets are in the broker", 120);
        var before = await TicketsAsync(stack);
        await stack.KillAsync("rabbitmq");
        Stack.WipeBroker();
        await stack.UpAsync();
        Must(before > 0 && await TicketsAsync(stack) < before, $"{before} tickets before; its folder removed; {await TicketsAsync(stack)} were published again when all was up");
        await stack.UpAsync(workers: 3);
        var (right, wrong, missing) = await load.ReadAllAsync(CancellationToken.None);
        Must(right == jobs, $"{right} of {jobs} finished with the right label, {wrong} with a wrong one, {missing} did not");
    }

    private static async Task OperateAsync(Stack stack, int jobs)
    {
        Console.WriteLine($"== Pause, purge and replay of {jobs} jobs");
        var api = stack.Apis()[0];
        await PostAsync(api, "/v1/queues/digits/pause", new { });
        var load = new DigitsLoad(stack.Apis());
        await load.SubmitAsync(jobs, 32, CancellationToken.None);
        var queue = JsonNode.Parse(await api.GetStringAsync("/v1/queues/digits"))!;
        Must((int)queue["queued"]! == jobs && (bool)queue["paused"]!, $"{queue["queued"]} queued while paused, {queue["running"]} running");
        var dry = await PostAsync(api, "/v1/queues/digits/purge", new { dry_run = true });
        var purged = await PostAsync(api, "/v1/queues/digits/purge", new { dry_run = false });
        Must((int)dry["matched"]! == jobs && (int)purged["canceled"]! == jobs, $"{dry["matched"]} counted by the dry run, {purged["canceled"]} canceled");
        await PostAsync(api, "/v1/queues/digits/resume", new { });
        var filter = new { model = "digits", state = "canceled" };
        var plan = await PostAsync(api, "/v1/replays", new { filter, dry_run = true });
        var replay = await PostAsync(api, "/v1/replays", new { filter, dry_run = false, plan = (string)plan["plan"]! });
        var self = $"/v1/replays/{replay["id"]}";
        await Waiting.UntilAsync(async () => (string?)JsonNode.Parse(await api.GetStringAsync(self))!["state"] == "finished", "the replay is finished", 120);
        var created = (int)JsonNode.Parse(await api.GetStringAsync(self))!["created"]!;
        Must((int)plan["replayable"]! == jobs && created == jobs, $"{plan["replayable"]} replayable by the dry run, {created} made");
        await using var witness = new Witness(stack.StoreUrl);
        await Waiting.UntilAsync(async () => await witness.CountAsync("SELECT count(*) FROM jobs WHERE state IN (0, 1)", CancellationToken.None) == 0, "all jobs have ended", 120);
        var ended = await witness.CountAsync("SELECT count(*) FROM jobs WHERE replay_of IS NOT NULL AND state = 2", CancellationToken.None);
        Must(ended >= jobs, $"{ended} replayed jobs succeeded");
        Must(await TicketsAsync(stack) == 0, $"{await TicketsAsync(stack)} tickets left in the broker");
    }

    internal static async Task<uint> TicketsAsync(Stack stack)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(stack.BrokerUrl) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        try { return (await channel.QueueDeclarePassiveAsync(TicketQueue)).MessageCount; }
        catch (RabbitMQ.Client.Exceptions.OperationInterruptedException) { return 0; } // not declared yet
    }

    private static async Task<JsonNode> PostAsync(HttpClient api, string path, object body)
    {
        using var answer = await api.PostAsJsonAsync(path, body);
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode ? JsonNode.Parse(text)! : throw new InvalidOperationException($"{path}: {text}");
    }

    private static void Must(bool holds, string what)
    {
        _failed |= !holds;
        Console.WriteLine($"   {(holds ? "ok" : "NOT OK")}: {what}");
    }
}
