using System.Globalization;
using YamlDotNet.RepresentationModel;

namespace Millrace.Rehearsal.Chart;

/// <summary>The objects of a rendered chart.</summary>
public sealed class Manifest
{
    private readonly List<Node> _objects;

    private Manifest(List<Node> objects) => _objects = objects;

    public static Manifest Read(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return new Manifest(stream.Documents.Select(d => new Node(d.RootNode, "")).Where(n => n.IsMap).ToList());
    }

    public IEnumerable<Node> OfKind(string kind) => _objects.Where(o => o.Text("kind") == kind);
}

/// <summary>A place in a rendered object: what is missing or can't be read is an error that names the place.</summary>
public sealed class Node(YamlNode? node, string path)
{
    public string Path => path;

    public bool IsThere => node is not (null or YamlScalarNode { Value: null or "" or "null" or "~", Style: YamlDotNet.Core.ScalarStyle.Plain });

    public bool IsMap => node is YamlMappingNode;

    public Node this[string name] => new(node is YamlMappingNode map && map.Children.TryGetValue(new YamlScalarNode(name), out var value) ? value : null, $"{path}/{name}");

    public IReadOnlyList<Node> List => node switch
    {
        YamlSequenceNode list => list.Select((item, at) => new Node(item, string.Create(CultureInfo.InvariantCulture, $"{path}/{at}"))).ToArray(),
        _ when !IsThere => [],
        _ => throw new InvalidDataException($"{path} is not a list."),
    };

    public IEnumerable<string> Names => node is YamlMappingNode map ? map.Children.Keys.Select(k => ((YamlScalarNode)k).Value!) : [];

    public string Text() => node is YamlScalarNode { Value: { } text } ? text : throw new InvalidDataException($"{path} is missing.");

    public string Text(string name) => this[name].Text();

    public string Text(string name, string otherwise) => this[name].IsThere ? this[name].Text() : otherwise;

    public double Number(string name) => double.TryParse(Text(name), CultureInfo.InvariantCulture, out var number) ? number : throw new InvalidDataException($"{path}/{name} is not a number: {Text(name)}");

    public double Number(string name, double otherwise) => this[name].IsThere ? Number(name) : otherwise;

    public TimeSpan Seconds(string name, TimeSpan otherwise) => this[name].IsThere ? TimeSpan.FromSeconds(Number(name)) : otherwise;
}
