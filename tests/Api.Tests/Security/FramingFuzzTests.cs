using System.Text;
using Millrace.Api.Tests.Inference;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Security;

/// <summary>Frames that nobody thought of: sizes, lengths, cuts and bytes changed at random. Whatever is sent, the answer is one of ours, and what is taken is accounted for to the byte.
/// MILLRACE_FUZZ_SEED repeats a run, MILLRACE_FUZZ_COUNT makes it longer.</summary>
public sealed class FramingFuzzTests(ServerFixture fixture, ITestOutputHelper output)
{
    private const int DefaultCount = 3000;
    private static readonly string[] Sizes = ["0", "1", "-1", "3", "4", "7", "8", "9", "16", "2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807", "18446744073709551616", "1.5", "\"8\"", "null", "true"];
    private static readonly string[] Headers = ["0", "1", "-1", "00", " 7", "2147483648", "9223372036854775807", "9223372036854775808", "x", "", "7, 7", "+3", "1e1"];

    [Fact]
    [Attack(14, 16, 22)]
    public async Task Given_frames_that_nobody_thought_of_When_sent_Then_every_answer_is_of_the_list_and_none_is_our_fault()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("MILLRACE_FUZZ_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"MILLRACE_FUZZ_SEED={seed}");
        var random = new Random(seed);
        var taken = 0;
        for (var count = int.TryParse(Environment.GetEnvironmentVariable("MILLRACE_FUZZ_COUNT"), out var asked) ? asked : DefaultCount; count > 0; count--)
        {
            var (path, json, tensors) = Seed(random);
            if (random.Next(3) == 0)
                json = Resize(random, json);
            var body = Framing.Body(json, tensors);
            for (var changes = random.Next(4); changes > 0; changes--)
                body = Mutate(random, body);
            var header = random.Next(4) == 0 ? Headers[random.Next(Headers.Length)] : $"{Framing.Length(json) + (random.Next(4) == 0 ? random.Next(-3, 4) : 0)}";
            using var content = new ByteArrayContent(body);
            var answer = await fixture.Client.AskAsync(HttpMethod.Post, path, content, (Framing.Header, header));
            Check(answer, $"{path} {header} {Convert.ToBase64String(body)}");
            if (answer.Status == 200 && answer.Header(Framing.Header) is not null)
            {
                await answer.SplitAsync();
                taken++;
            }
        }
        Assert.True(taken > 0, "Nothing was ever taken: the frames are too wrong to say anything.");
    }

    private static void Check(Answer answer, string sent)
    {
        Assert.True(answer.Status is < 500 or 501 or 503 or 504, $"{answer.Status} for {sent}: {answer.Text}");
        if (answer.Status >= 400 && answer.Text.Length > 0) // what the web server itself refuses has no body
            Assert.NotNull((string?)answer.Json["code"]);
    }

    private static (string Path, string Json, byte[] Tensors) Seed(Random random)
    {
        const string All = ""","parameters":{"binary_data_output":true}""";
        switch (random.Next(6))
        {
            case 0:
                var text = Framing.Strings([], "ab"u8.ToArray(), [0xFF, 0x00]);
                return ("/v2/models/str/infer", Framing.In("BYTES", "[3]", text.Length, All), text);
            case 1:
                var inputs = $"{Framing.Input("A", "FP32", "[1,4]", 16)},{Framing.Input("B", "FP32", "[1,4]", 16)}";
                return ("/v2/models/pair/infer", $$$"""{"inputs":[{{{inputs}}}],"outputs":[{"name":"SUM","parameters":{"binary_data":true}},{"name":"DIFF"}]}""", new byte[32]);
            case 2:
                return ("/v2/models/ident_bool/infer", Framing.In("BOOL", "[4]", 4, All), [0, 1, 1, 0]);
            case 3:
                return ("/v1/jobs", $$"""{"inference":{{Framing.In("FP32", "[2]", 8, All)}},"model":"ident_fp32"}""", Framing.Floats(1, 2));
            case 4:
                return ("/v2/models/pair/infer", $$"""{"inputs":[{{Framing.Input("A", "FP32", "[1,4]", 16)}},{"name":"B","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]{{All}}}""", new byte[16]);
            default:
                return ("/v2/models/ident_fp16/infer", Framing.In("FP16", "[4]", 8, All), [1, 2, 3, 4, 5, 6, 7, 8]);
        }
    }

    /// <summary>Another size for one of the inputs.</summary>
    private static string Resize(Random random, string json)
    {
        const string Member = "\"binary_data_size\":";
        var at = json.IndexOf(Member, StringComparison.Ordinal) + Member.Length;
        return json[..at] + Sizes[random.Next(Sizes.Length)] + json[json.IndexOf('}', at)..];
    }

    private static byte[] Mutate(Random random, byte[] body)
    {
        var bytes = body.ToList();
        var at = random.Next(bytes.Count + 1);
        switch (random.Next(6))
        {
            case 0 when at < bytes.Count: bytes[at] ^= (byte)(1 << random.Next(8)); break;
            case 1 when at < bytes.Count: bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at)); break;
            case 2: bytes.InsertRange(at, Enumerable.Repeat((byte)0xFF, random.Next(1, 9))); break;
            case 3: bytes.RemoveRange(at, bytes.Count - at); break;
            case 4: bytes.AddRange(Encoding.ASCII.GetBytes("{}")); break;
            default: bytes.Insert(at, (byte)random.Next(256)); break;
        }
        return [.. bytes];
    }
}
