using System.Runtime.CompilerServices;

namespace Millrace.Api.Inference;

/// <summary>Follows the arrays of a tensor's data, and sees to it that those of one depth are of one length, and that the elements are as many as the shape takes.</summary>
internal struct TensorWalk(string name, long count)
{
    /// <summary>Of any JSON that we read.</summary>
    public const int DeepestNesting = 100;

    private Depths _widths; // of the arrays at each depth, from 1; 0 while not known, else one more than the length
    private Depths _children;
    private int _depth;
    private int _elementDepth = -1;

    public long Elements { get; private set; }

    public readonly bool IsInArray => _depth > 0;

    /// <summary>The outermost array has ended, and no element is missing.</summary>
    /// <exception cref="Errors.RefusedException">One is.</exception>
    public readonly bool IsDone => _depth == 0 && (Elements == count ? true : throw TensorJsonReader.Wrong(name, $"its shape takes {count} elements, and data has {Elements}"));

    /// <summary>False when it is nested too deep.</summary>
    public bool TryStartArray()
    {
        if (_depth > DeepestNesting)
            return false;
        _children[_depth]++;
        _children[++_depth] = 0;
        return true;
    }

    public void EndArray()
    {
        var width = _children[_depth] + 1;
        if (_widths[_depth] != 0 && _widths[_depth] != width)
            throw TensorJsonReader.Wrong(name, $"data is ragged: arrays at depth {_depth} have {_widths[_depth] - 1} and {width - 1} elements");
        _widths[_depth--] = width;
    }

    public void StepElement()
    {
        if (_elementDepth >= 0 && _elementDepth != _depth)
            throw TensorJsonReader.Wrong(name, $"data is ragged: elements lie at depths {_elementDepth} and {_depth}");
        if (_depth == 0 && Elements > 0 || Elements >= count)
            throw TensorJsonReader.Wrong(name, $"its shape takes {count} elements, and data has more");
        _elementDepth = _depth;
        _children[_depth]++;
        Elements++;
    }

    [InlineArray(DeepestNesting + 2)]
    private struct Depths
    {
        private long _first;
    }
}
