using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Millrace.Api.Inference;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Hosting.Inference;
using Millrace.Storage.Announcements;

namespace Millrace.Engine;

/// <summary>Reading and validating a JSON request, beside a <see cref="Utf8JsonReader"/> that goes over the same bytes: once over its tokens alone, once also reading each number.</summary>
internal static class Parsing
{
    public static void Print(int elements, int digits)
    {
        var numbers = string.Join(',', Enumerable.Range(0, elements).Select(i => Math.Round(Random.Shared.NextDouble(), digits).ToString(CultureInfo.InvariantCulture)));
        var body = Encoding.ASCII.GetBytes($$"""{"inputs":[{"name":"x","shape":[1,{{elements}}],"datatype":"FP32","data":[{{numbers}}]}]}""");
        var model = new ServedVersion("m", "1", ModelState.Ready, "", "", [new TensorSpec("x", Datatype.Fp32, [-1, elements])], [], 1, 1, 64);
        var limits = new LimitsOptions();
        var (ours, tokens, singles) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < 7; round++)
        {
            ours.Add(Time(() => Read(body, model, limits)));
            tokens.Add(Time(() => Walk(body, readsNumbers: false)));
            singles.Add(Time(() => Walk(body, readsNumbers: true)));
        }
        var (us, them, full) = (Median(ours), Median(tokens), Median(singles));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {elements:#,0} of {digits} digits | {body.Length:#,0} | {us:0.0} | {them:0.0} | {full:0.0} | {us / them:0.00} | {us / full:0.00} |"));
    }

    private static void Read(byte[] body, ServedVersion model, LimitsOptions limits) => InferenceReader.Read(new InferenceBody(body, default, IsFramed: false), model, limits, strict: false);

    private static void Walk(byte[] body, bool readsNumbers)
    {
        var json = new Utf8JsonReader(body);
        while (json.Read())
        {
            if (readsNumbers && json.TokenType == JsonTokenType.Number)
                json.GetSingle();
        }
    }

    /// <returns>Microseconds for each.</returns>
    private static double Time(Action action)
    {
        for (var warm = 0; warm < 300; warm++)
            action();
        var began = Stopwatch.GetTimestamp();
        const int times = 200;
        for (var time = 0; time < times; time++)
            action();
        return Stopwatch.GetElapsedTime(began).TotalMicroseconds / times;
    }

    private static double Median(List<double> figures) => figures.Order().ElementAt(figures.Count / 2);
}
