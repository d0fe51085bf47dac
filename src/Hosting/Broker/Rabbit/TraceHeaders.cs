using System.Text;
using Millrace.Messages;
using RabbitMQ.Client;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>The traces of a pack's requests, beside its body: a worker of an earlier version does not look at them, and a pack without any has no headers.</summary>
internal static class TraceHeaders
{
    private const string Parents = "traceparents";
    private const string Sent = "sent-ms";

    public static void Write(InferPack pack, BasicProperties properties)
    {
        if (pack.SentAt is { } sent)
        {
            properties.Headers = new Dictionary<string, object?>
            {
                [Parents] = string.Join(',', pack.Items.Select(i => i.TraceParent ?? "")),
                [Sent] = sent.ToUnixTimeMilliseconds(),
            };
        }
    }

    public static InferPack Read(InferPack pack, IReadOnlyBasicProperties properties)
    {
        if (properties.Headers is not { } headers || !headers.TryGetValue(Parents, out var parent) || parent is not byte[] text || !headers.TryGetValue(Sent, out var time) || time is not long sent)
            return pack;
        var parents = Encoding.ASCII.GetString(text).Split(',');
        if (parents.Length != pack.Items.Count || sent is < 0 or > MostMilliseconds)
            return pack; // it is somebody's invention
        var items = pack.Items.Select((item, at) => parents[at].Length == 0 ? item : item with { TraceParent = parents[at] }).ToArray();
        return pack with { Items = items, SentAt = DateTimeOffset.FromUnixTimeMilliseconds(sent) };
    }

    private const long MostMilliseconds = 253_402_300_799_999; // the year 9999
}
