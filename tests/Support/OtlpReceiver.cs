using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Millrace.Tests.Support;

/// <summary>A span as it came over the wire. Ids are lower-case hex.</summary>
/// <param name="Links">Span ids of the links.</param>
public sealed record Span(string Service, string TraceId, string SpanId, string ParentId, string Name, int Kind, ulong Start, ulong End, IReadOnlyDictionary<string, string> Tags, IReadOnlyList<(string TraceId, string SpanId)> Links, bool IsError);

/// <summary>Takes traces by OTLP over HTTP, as a collector does, and keeps them.</summary>
/// <remarks>Source: opentelemetry-proto, <c>ExportTraceServiceRequest</c> and what it holds.</remarks>
public sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Span> _spans = new();

    private OtlpReceiver()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.MapPost("/v1/traces", async (HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            foreach (var span in Read(body.ToArray()))
                _spans.Enqueue(span);
        });
    }

    /// <summary>For <c>Millrace:Traces:Endpoint</c>.</summary>
    public string Endpoint => $"{_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()}/v1/traces";

    public IReadOnlyList<Span> Of(string traceId) => [.. _spans.Where(s => s.TraceId == traceId).OrderBy(s => s.Start)];

    public IReadOnlyList<Span> All => [.. _spans];

    public static async Task<OtlpReceiver> StartAsync()
    {
        var receiver = new OtlpReceiver();
        await receiver._app.StartAsync();
        return receiver;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static IEnumerable<Span> Read(byte[] request)
    {
        foreach (var resourceSpans in Fields(request).Where(f => f.Number == 1))
        {
            var parts = Fields(resourceSpans.Bytes).ToArray();
            var service = parts.Where(f => f.Number == 1).SelectMany(f => Tags(Fields(f.Bytes).Where(a => a.Number == 1))).ToDictionary().GetValueOrDefault("service.name", "");
            foreach (var span in parts.Where(f => f.Number == 2).SelectMany(scope => Fields(scope.Bytes).Where(f => f.Number == 2)))
                yield return ReadSpan(service, Fields(span.Bytes).ToArray());
        }
    }

    private static Span ReadSpan(string service, Field[] fields) => new(service, Hex(fields, 1), Hex(fields, 2), Hex(fields, 4),
        Encoding.UTF8.GetString(fields.First(f => f.Number == 5).Bytes), (int)fields.FirstOrDefault(f => f.Number == 6).Value, fields.First(f => f.Number == 7).Value, fields.First(f => f.Number == 8).Value,
        Tags(fields.Where(f => f.Number == 9)).ToDictionary(),
        fields.Where(f => f.Number == 13).Select(f => Fields(f.Bytes).ToArray()).Select(link => (Hex(link, 1), Hex(link, 2))).ToArray(),
        fields.Where(f => f.Number == 15).SelectMany(f => Fields(f.Bytes)).Any(f => f is { Number: 3, Value: 2 }));

    private static string Hex(Field[] fields, int number) => Convert.ToHexStringLower(fields.FirstOrDefault(f => f.Number == number).Bytes ?? []);

    private static IEnumerable<KeyValuePair<string, string>> Tags(IEnumerable<Field> attributes) => attributes.Select(attribute =>
    {
        var pair = Fields(attribute.Bytes).ToArray();
        var value = Fields(pair.First(f => f.Number == 2).Bytes).FirstOrDefault();
        return KeyValuePair.Create(Encoding.UTF8.GetString(pair.First(f => f.Number == 1).Bytes), value.Bytes is { } text ? Encoding.UTF8.GetString(text) : $"{value.Value}");
    });

    /// <summary>Protocol Buffers' wire format: varint, 8 bytes, length and bytes, 4 bytes.</summary>
    private static IEnumerable<Field> Fields(byte[] message)
    {
        var at = 0;
        while (at < message.Length)
        {
            var key = Varint(message, ref at);
            var number = (int)(key >> 3);
            switch (key & 7)
            {
                case 0: yield return new Field(number, Varint(message, ref at), null!); break;
                case 1: yield return new Field(number, BitConverter.ToUInt64(message, at), null!); at += 8; break;
                case 5: yield return new Field(number, BitConverter.ToUInt32(message, at), null!); at += 4; break;
                case 2:
                    var length = (int)Varint(message, ref at);
                    yield return new Field(number, 0, message[at..(at + length)]);
                    at += length;
                    break;
                case var type: throw new InvalidDataException($"Wire type {type} is not known.");
            }
        }
    }

    private static ulong Varint(byte[] message, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var part = message[at++];
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
                return value;
        }
    }

    private readonly record struct Field(int Number, ulong Value, byte[] Bytes);
}
