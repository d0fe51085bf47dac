using System.Globalization;
using System.Text;
using Millrace.Rehearsal.Run;

namespace Millrace.Rehearsal.Report;

/// <summary>docs/autoscaling.svg: what waited, who worked and how long it took, over one axis of time. Its colours are legible on white and on black.</summary>
internal static class Picture
{
    private const double Left = 64, Right = 20, Width = 960, Top = 58, Lane = 150, Gap = 42;

    public static string Draw(Outcome run)
    {
        var end = run.Samples[^1].At.TotalSeconds;
        var axis = new Axis(Math.Ceiling(end / 10) * 10, end > 150 ? 30 : end > 60 ? 20 : 10);
        var drawing = new Drawing(Width, Top + (3 * Lane) + (2 * Gap) + 48);
        var phases = run.Phases.Where(p => p.Name != "all done").ToArray();
        for (var lane = 0; lane < 3; lane++)
        {
            foreach (var phase in phases)
                drawing.Line("phase", axis.X(phase.At.TotalSeconds), Top + (lane * (Lane + Gap)) - 2, axis.X(phase.At.TotalSeconds), Top + (lane * (Lane + Gap)) + Lane);
        }
        var rightmost = double.NegativeInfinity;
        foreach (var phase in phases)
        {
            drawing.Line("phase", axis.X(phase.At.TotalSeconds), 22, axis.X(phase.At.TotalSeconds), 30);
            var length = phase.Name.Length * 6.2;
            var x = Math.Min(Math.Max(axis.X(phase.At.TotalSeconds), rightmost), Width - length - 4);
            rightmost = x + length + 10;
            drawing.Text("note", x, 16, phase.Name);
        }
        Waiting(drawing, axis, run);
        Workers(drawing, axis, run);
        Latency(drawing, axis, run);
        var bottom = Top + (3 * Lane) + (2 * Gap);
        for (var second = 0.0; second <= axis.End; second += axis.Step)
            drawing.Text("tick", axis.X(second), bottom + 18, Number(second), "middle");
        drawing.Text("name", (Left + Width - Right) / 2, bottom + 38, "Time, s", "middle");
        return drawing.ToString();
    }

    private static void Waiting(Drawing drawing, Axis axis, Outcome run)
    {
        var most = run.Samples.Max(s => Math.Max(s.Jobs, s.Queues.Sum(q => q?.Messages ?? 0)));
        var lane = new LaneOf(drawing, axis, 0, 0, Nice(most), Nice(most) / 4, value => value);
        lane.Frame("Queue length, messages");
        lane.Legend(("a", "broker's figures, as the autoscaler reads them"), ("d", "jobs queued or running, in the store"));
        lane.Steps("d thin", run.Samples.Select(s => (s.At.TotalSeconds, (double)s.Jobs)));
        lane.Steps("a", run.Samples.Select(s => (s.At.TotalSeconds, (double)s.Queues.Sum(q => q?.Messages ?? 0))));
    }

    private static void Workers(Drawing drawing, Axis axis, Outcome run)
    {
        var lane = new LaneOf(drawing, axis, 1, 0, run.Hurried.MaxReplicas + 0.5, 1, value => value);
        lane.Frame("Worker replicas");
        lane.Legend(("b", "asked for"), ("e", "ready"), ("note", string.Create(CultureInfo.InvariantCulture, $"dashed: the most, {run.Hurried.MaxReplicas}")));
        lane.Level("most", run.Hurried.MaxReplicas);
        lane.Area("b", run.Samples.Select(s => (s.At.TotalSeconds, (double)s.Replicas)));
        lane.Steps("e thin", run.Samples.Select(s => (s.At.TotalSeconds, (double)s.Ready)));
        lane.Steps("b", run.Samples.Select(s => (s.At.TotalSeconds, (double)s.Replicas)));
    }

    private static void Latency(Drawing drawing, Axis axis, Outcome run)
    {
        var lane = new LaneOf(drawing, axis, 2, -2, 2, 1, Math.Log10); // 10 ms to 100 s
        lane.Frame("P95 of each 5 s, s (log)", value => Number(Math.Pow(10, value)));
        lane.Legend(("c", "synchronous request, to its answer"), ("f", "job, to its start"));
        lane.Dots("f", Statistics.Over(run.Queued, 0.95, 5));
        lane.Dots("c", Statistics.Over(run.Calls.Select(c => (c.At, c.Took)), 0.95, 5));
    }

    private static double Nice(double value)
    {
        var size = Math.Pow(10, Math.Floor(Math.Log10(Math.Max(value, 4))));
        return new[] { 1, 2, 4, 6, 8, 10 }.Select(n => n * size).First(n => n >= value);
    }

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private sealed record Axis(double End, double Step)
    {
        public double X(double seconds) => Left + (seconds / End * (Width - Left - Right));
    }

    /// <param name="low">And high: in what <paramref name="scale"/> gives.</param>
    private sealed class LaneOf(Drawing drawing, Axis axis, int index, double low, double high, double step, Func<double, double> scale)
    {
        private readonly double _top = Top + (index * (Lane + Gap));

        public void Frame(string name, Func<double, string>? label = null)
        {
            for (var value = low; value <= high; value += step)
            {
                drawing.Line(value == low ? "base" : "grid", Left, Y(value), Width - Right, Y(value));
                drawing.Text("tick", Left - 8, Y(value) + 4, label is null ? Number(value) : label(value), "end");
            }
            drawing.Turned("name", 16, _top + (Lane / 2), name);
        }

        public void Legend(params (string Class, string Text)[] entries)
        {
            var x = Left;
            foreach (var (style, text) in entries)
            {
                if (style != "note")
                {
                    drawing.Line(style, x, _top - 16, x + 18, _top - 16);
                    x += 24;
                }
                drawing.Text("note", x, _top - 12, text);
                x += (text.Length * 6.0) + 26;
            }
        }

        public void Level(string style, double value) => drawing.Line(style, Left, Y(value), Width - Right, Y(value));

        public void Steps(string style, IEnumerable<(double At, double Value)> values) => drawing.Path(style, StepPath(values));

        public void Area(string style, IEnumerable<(double At, double Value)> values)
        {
            var all = values.ToArray();
            drawing.Path($"{style} area", $"{StepPath(all)}V{Number(Y(low))}H{Number(axis.X(all[0].At))}Z");
        }

        public void Dots(string style, IEnumerable<(double At, double Value)> values)
        {
            var all = values.Select(v => (X: axis.X(v.At), Y: Y(Math.Clamp(scale(v.Value), low, high)))).ToArray();
            drawing.Path(style, string.Join("", all.Select((p, at) => $"{(at == 0 ? 'M' : 'L')}{Number(p.X)} {Number(p.Y)}")));
            foreach (var (x, y) in all)
                drawing.Dot(style, x, y);
        }

        private string StepPath(IEnumerable<(double At, double Value)> values)
        {
            var path = new StringBuilder();
            double? before = null;
            foreach (var (at, value) in values)
            {
                if (before is null)
                    path.Append(CultureInfo.InvariantCulture, $"M{Number(axis.X(at))} {Number(Y(value))}");
                else if (value != before)
                    path.Append(CultureInfo.InvariantCulture, $"H{Number(axis.X(at))}V{Number(Y(value))}");
                before = value;
            }
            return path.Append(CultureInfo.InvariantCulture, $"H{Number(axis.X(values.Last().At))}").ToString();
        }

        private double Y(double value) => _top + Lane - ((value - low) / (high - low) * Lane);
    }

    private sealed class Drawing
    {
        private readonly StringBuilder _text = new();

        public Drawing(double width, double height) => _text.Append(CultureInfo.InvariantCulture, $$"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{width}} {{height}}" width="{{width}}" height="{{height}}" role="img" aria-label="Queue length, worker replicas and P95 latency over the time of the rehearsal">
            <style>
            text{font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;font-size:12px;fill:#7d8590}
            .name{font-weight:600}.tick,.note{font-size:11px}
            path,line{fill:none;stroke-width:2;stroke-linejoin:round}.thin{stroke-width:1.5}
            .grid{stroke:#7d8590;stroke-opacity:.22;stroke-width:1}.base{stroke:#7d8590;stroke-width:1}.phase{stroke:#7d8590;stroke-opacity:.5;stroke-width:1;stroke-dasharray:2 4}
            .most{stroke:#7d8590;stroke-width:1.5;stroke-dasharray:7 5}
            .a{stroke:#2f81f7}.b{stroke:#2da44e}.c{stroke:#e0672c}.d{stroke:#8b949e}.e{stroke:#a371f7}.f{stroke:#8b949e}
            .area{stroke:none;fill:#2da44e;fill-opacity:.14}circle{stroke:none}circle.c{fill:#e0672c}circle.f{fill:#8b949e}
            </style>

            """);

        public void Line(string style, double x1, double y1, double x2, double y2) =>
            _text.Append(CultureInfo.InvariantCulture, $"<line class=\"{style}\" x1=\"{Number(x1)}\" y1=\"{Number(y1)}\" x2=\"{Number(x2)}\" y2=\"{Number(y2)}\"/>\n");

        public void Path(string style, string path) => _text.Append(CultureInfo.InvariantCulture, $"<path class=\"{style}\" d=\"{path}\"/>\n");

        public void Dot(string style, double x, double y) => _text.Append(CultureInfo.InvariantCulture, $"<circle class=\"{style}\" cx=\"{Number(x)}\" cy=\"{Number(y)}\" r=\"2.5\"/>\n");

        public void Text(string style, double x, double y, string text, string anchor = "start") =>
            _text.Append(CultureInfo.InvariantCulture, $"<text class=\"{style}\" x=\"{Number(x)}\" y=\"{Number(y)}\" text-anchor=\"{anchor}\">{text}</text>\n");

        public void Turned(string style, double x, double y, string text) =>
            _text.Append(CultureInfo.InvariantCulture, $"<text class=\"{style}\" transform=\"translate({Number(x)} {Number(y)}) rotate(-90)\" text-anchor=\"middle\">{text}</text>\n");

        public override string ToString() => $"{_text}</svg>\n";
    }
}
