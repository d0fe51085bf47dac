using System.Text;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Security;

/// <summary>Bodies and headers that nobody thought of: whatever is sent, the answer is one of ours and never "something went wrong".
/// MILLRACE_FUZZ_SEED repeats a run, MILLRACE_FUZZ_COUNT makes it longer; what was found once is kept in fuzz/ and sent each time.</summary>
public sealed class FuzzTests(ServerFixture fixture, ITestOutputHelper output)
{
    private const int DefaultCount = 3000;

    private static readonly string[] Pieces =
    [
        "{", "}", "[", "]", "\"", ",", ":", "null", "true", "0", "-1", "1e400", "\\u0000", "\\ud800", "\\", "\"inputs\"", "\"IN\"", "\"FP32\"", "\"BYTES\"", "\"shape\"", "\"data\"", "[[[[", "9223372036854775807", " ", "\r\n",
        "NaN", "//", "/*", "\u00ff", "{\"inputs\":", "\"parameters\":{\"timeout\":1}", "\"outputs\":[{\"name\":\"OUT\"}]", "\0", "\"metadata\":{\"a\":\"b\"}", "\"state\"", "e", "E+", ".", "\ufeff",
    ];

    private static readonly (string Path, string Body)[] Seeds =
    [
        ("/v2/models/ident_fp32/infer", """{"id":"x","parameters":{"priority":1},"inputs":[{"name":"IN","datatype":"FP32","shape":[2],"data":[1.5,-2]}],"outputs":[{"name":"OUT"}]}"""),
        ("/v2/models/str/infer", """{"inputs":[{"name":"IN","datatype":"BYTES","shape":[2],"data":["a","\ud83e\udd80"]}]}"""),
        ("/v2/models/pair/infer", """{"inputs":[{"name":"A","datatype":"FP32","shape":[1,4],"data":[[1,2,3,4]]},{"data":[1,2,3,4],"name":"B","datatype":"FP32","shape":[1,4]}]}"""),
        ("/v1/jobs", """{"model":"ident_fp32","priority":3,"timeout":1.5,"expires_in":60,"metadata":{"k":"v"},"not_before":null,"inference":{"inputs":[{"name":"IN","datatype":"FP32","shape":[1],"data":[1]}]}}"""),
        ("/v1/replays", """{"filter":{"model":"x","state":["failed"],"metadata":{"a":"b"},"created_after":"2030-01-01T00:00:00Z"},"dry_run":true,"max_jobs":10,"rate_per_second":1.5,"overrides":{"priority":1}}"""),
        ("/v1/keys", """{"name":"x","roles":[],"tenant":"a","expires_in":60,"requests":1}"""),
        ("/v1/queues/ident_fp64/purge", """{"dry_run":true}"""),
        ("/v2/repository/index", """{"ready":true}"""),
    ];

    private static readonly string[] Headers =
    [
        "Prefer", "Idempotency-Key", "traceparent", "tracestate", "Authorization", "If-None-Match", "Accept-Encoding", "Content-Encoding", "Inference-Header-Content-Length", "Accept", "X-Request-Id", "X-Forwarded-For",
        "Content-Type",
    ];

    private static readonly string[] Values =
    [
        "wait=", "wait=1;foo=\"bar\"", ",,,;=", "\"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-zz", "W/\"1\"", "*", "gzip;q=", "gzip, deflate;q=0.5, *;q=0", "Bearer ", "Bearer mr_AAAAAAAAAAAA_", "-1",
        "99999999999999999999", "application/json;q=x", "a=b,c=d", "identity", "\t", "x\u00e9", "=", "respond-async, wait=0, wait", "1.1.1.1, ::1, x",
    ];

    [Fact]
    [Attack(13, 14, 15, 22, 26)]
    public async Task Given_bodies_that_nobody_thought_of_When_sent_Then_every_answer_is_of_the_list_and_none_is_our_fault()
    {
        var (random, count) = Begin();
        for (var at = 0; at < count; at++)
        {
            var (path, body) = Seeds[random.Next(Seeds.Length)];
            var bytes = Mutate(random, Encoding.UTF8.GetBytes(body));
            await SendAsync(path, bytes);
        }
    }

    [Fact]
    [Attack(35)]
    public async Task Given_headers_that_nobody_thought_of_When_sent_Then_every_answer_is_of_the_list_and_none_is_our_fault()
    {
        var (random, count) = Begin();
        for (var at = 0; at < count; at++)
        {
            var headers = Enumerable.Range(0, random.Next(1, 4)).Select(_ => (Headers[random.Next(Headers.Length)], Value(random))).DistinctBy(h => h.Item1).ToArray();
            var (path, body) = Seeds[random.Next(Seeds.Length)];
            await SendAsync(path, Encoding.UTF8.GetBytes(body), headers);
            await CheckAsync(await fixture.Client.FetchAsync($"/v1/jobs/job_01M8G2EXMDET1TJF6BBSAXSBV7?wait={random.Next(-1, 1)}", headers.Where(h => h.Item1 is not "Content-Type" and not "Content-Encoding").ToArray()), string.Join(' ', headers));
        }
    }

    [Fact]
    public async Task Given_what_was_found_before_When_sent_again_Then_it_is_answered_as_it_should_be()
    {
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "tests", "Api.Tests", "Security", "fuzz"), "*.body"))
        {
            foreach (var (path, _) in Seeds)
                await SendAsync(path, await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken));
        }
    }

    private (Random Random, int Count) Begin()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("MILLRACE_FUZZ_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"MILLRACE_FUZZ_SEED={seed}");
        return (new Random(seed), int.TryParse(Environment.GetEnvironmentVariable("MILLRACE_FUZZ_COUNT"), out var count) ? count : DefaultCount);
    }

    private async Task SendAsync(string path, byte[] body, params (string Name, string Value)[] headers)
    {
        using var content = new ByteArrayContent(body);
        await CheckAsync(await fixture.Client.AskAsync(HttpMethod.Post, path, content, headers), $"{path} {Convert.ToBase64String(body)} {string.Join(' ', headers)}");
    }

    private static Task CheckAsync(Answer answer, string sent)
    {
        Assert.True(answer.Status is < 500 or 501 or 503 or 504, $"{answer.Status} for {sent}: {answer.Text}");
        if (answer.Status >= 400 && answer.Text.Length > 0) // what the web server itself refuses has no body
            Assert.NotNull((string?)answer.Json["code"]);
        return Task.CompletedTask;
    }

    private static byte[] Mutate(Random random, byte[] seed)
    {
        var bytes = seed.ToList();
        for (var changes = random.Next(1, 5); changes > 0; changes--)
        {
            var at = random.Next(bytes.Count + 1);
            switch (random.Next(6))
            {
                case 0 when at < bytes.Count: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1 when at < bytes.Count: bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at)); break;
                case 2 when at < bytes.Count: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 33), bytes.Count - at))); break; // twice
                case 3: bytes.Insert(at, (byte)random.Next(256)); break;
                default: bytes.InsertRange(at, Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)])); break;
            }
        }
        return [.. bytes];
    }

    private static string Value(Random random)
    {
        var text = Values[random.Next(Values.Length)];
        if (random.Next(2) == 0)
            text += Values[random.Next(Values.Length)];
        if (random.Next(4) == 0)
            text = text.Insert(random.Next(text.Length + 1), new string((char)random.Next(33, 127), random.Next(1, 300)));
        return text.Replace("\u00e9", "e", StringComparison.Ordinal).Trim();
    }
}
